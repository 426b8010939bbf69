//! Waiting for the end of all tasks, with a bar that shows how far they are.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use task_core::{Backends, Count, DEFAULT_ALIAS, TaskStatus};

use crate::Result;
use crate::worker_process::WorkerProcess;

/// How often the states are counted.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often a line is printed where there is no terminal for a bar.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// Returns when this many tasks have ended.
///
/// # Errors
/// The worker ended before.
pub(crate) async fn until_all_finished(total: u64, worker: &mut WorkerProcess) -> Result<()> {
    let progress = Progress::new(total);
    loop {
        // First the worker, then the tasks: it cannot end in between and have left nothing undone.
        let ended = worker.has_ended()?;
        match count().await {
            Ok(states) if progress.show(&states) >= total => return Ok(()),
            Err(error) if !error.is_retryable() => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
        if let Some(status) = ended {
            return Err(worker.ended_early(status).into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn count() -> task_core::Result<Vec<Count>> {
    match Backends::global()?.get(DEFAULT_ALIAS)?.backend().admin() {
        Some(admin) => admin.counts().await,
        None => Ok(Vec::new()),
    }
}
