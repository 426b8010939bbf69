//! How soon a waiting worker starts a task: from before `enqueue` to inside the task.

use std::time::Duration;

use task_core::{Backends, Registry};
use task_worker::{Shutdown, Worker, WorkerOptions};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::Outcome;
use crate::ours::{now_us, open, stamp, start_worker};

const PATIENCE: Duration = Duration::from_secs(20);

/// Worker and caller in one process.
pub(crate) async fn inside_one_process(pickups: usize) -> Outcome<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let (backends, _) = open(&folder.path().join("tasks.db")).await?;
    let worker = Worker::new(
        backends.get("default")?.clone(),
        Registry::collected()?,
        WorkerOptions::default(),
    )?;
    let shutdown = Shutdown::new();
    let working = tokio::spawn(worker.run(shutdown.clone()));
    let times = pick_up(&backends, pickups).await?;
    shutdown.stop();
    working.await??;
    backends.close().await;
    Ok(times)
}

/// The worker is another process.
pub(crate) async fn across_processes(pickups: usize) -> Outcome<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tasks.db");
    let (backends, _) = open(&file).await?;
    let mut worker = start_worker("serve", &[file.to_str().ok_or("the folder's name is no text")?])?;
    let mut lines = BufReader::new(worker.stdout.take().ok_or("no output")?).lines();
    lines.next_line().await?;
    let times = pick_up(&backends, pickups).await?;
    worker.kill().await?;
    backends.close().await;
    Ok(times)
}

/// Milliseconds from the call of `enqueue` to the task's beginning, one at a time.
pub(crate) async fn pick_up(backends: &Backends, pickups: usize) -> Outcome<Vec<f64>> {
    // The first one also waits for the worker to come up; it does not count.
    stamp::new().enqueue_on(backends).await?.wait(PATIENCE).await?;
    let mut times = Vec::with_capacity(pickups);
    for pickup in 0..pickups {
        // Not in step with anything that looks every few milliseconds.
        tokio::time::sleep(Duration::from_micros(5_000 + (pickup as u64 * 7_919) % 20_000)).await;
        let before = now_us();
        let started = stamp::new().enqueue_on(backends).await?.wait(PATIENCE).await?;
        #[expect(clippy::cast_precision_loss, reason = "a few milliseconds")]
        times.push((started - before) as f64 / 1000.0);
    }
    Ok(times)
}
