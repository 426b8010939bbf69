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
    let mut progress = Progress::new(total);
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

/// How far the tasks are, on the screen.
struct Progress {
    bar: ProgressBar,
    total: u64,
    /// When to print a line; only where the bar cannot be seen.
    say_at: Option<Instant>,
}

impl Progress {
    fn new(total: u64) -> Self {
        let style = ProgressStyle::with_template("[{bar:30}] {human_pos} of {human_len}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        let is_seen = std::io::stderr().is_terminal();
        Self {
            bar: ProgressBar::new(total)
                .with_style(style)
                .with_finish(indicatif::ProgressFinish::AndClear),
            total,
            say_at: (!is_seen).then(|| Instant::now() + SAY_EVERY),
        }
    }

    /// Shows these states and returns how many tasks have ended.
    fn show(&mut self, states: &[Count]) -> u64 {
        let are = |status: TaskStatus| -> u64 {
            let those = states.iter().filter(|count| count.status == status);
            those.map(|count| count.tasks).sum()
        };
        let finished = TaskStatus::ALL
            .into_iter()
            .filter(|status| status.is_finished())
            .map(are)
            .sum();
        let words = format!(
            "{} ready, {} running, {} failed",
            HumanCount(are(TaskStatus::Ready)),
            HumanCount(are(TaskStatus::Running)),
            HumanCount(are(TaskStatus::Failed)),
        );
        if self.say_at.is_some_and(|say_at| say_at <= Instant::now()) {
            let (finished, total) = (HumanCount(finished), HumanCount(self.total));
            eprintln!("{finished} of {total} finished, {words}");
            self.say_at = Some(Instant::now() + SAY_EVERY);
        }
        self.bar.set_message(words);
        self.bar.set_position(finished);
        if finished >= self.total && !self.bar.is_finished() {
            self.bar.finish();
            // It stays, filled, and what is said next begins below it.
            if !self.bar.is_hidden() {
                eprintln!();
            }
        }
        finished
    }
}
