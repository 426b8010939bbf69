//! The framework itself: enqueueing and draining.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use task_backends::{SqliteBackend, SqliteOptions};
use task_core::{Backends, Registry, enqueue_many_on, task};
use task_worker::{Shutdown, Worker, WorkerOptions};
use tokio::process::{Child, Command};

use crate::Outcome;

/// The note that makes the arguments of a task about 100 bytes of JSON.
pub(crate) const NOTE: &str = "a note that makes the arguments about one hundred bytes of JSON, no more";

/// Does nothing, and says so.
#[task]
pub(crate) async fn noop(number: u64, note: String) -> u64 {
    let _ = note;
    number
}

/// Says when it began.
#[task(queue = "latency")]
pub(crate) async fn stamp() -> i64 {
    now_us()
}

/// Microseconds since 1970 by the machine's clock, which all processes here share.
pub(crate) fn now_us() -> i64 {
    task_core::Clock::system().now().as_microsecond()
}

/// A rate from a count and the time it took.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(crate) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

pub(crate) async fn open(file: &Path) -> Outcome<(Backends, Arc<SqliteBackend>)> {
    let backend = Arc::new(SqliteBackend::open(SqliteOptions::new(file)).await?);
    Ok((Backends::single(backend.clone()), backend))
}

/// Enqueues tasks in chunks, as one caller.
pub(crate) async fn enqueue_many(tasks: usize) -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let (backends, _) = open(&folder.path().join("tasks.db")).await?;
    let began = Instant::now();
    let results = enqueue_many_on((0..tasks as u64).map(|n| noop::new(n, NOTE)).collect(), &backends).await?;
    let took = began.elapsed();
    if results.len() != tasks {
        return Err("tasks were lost".into());
    }
    backends.close().await;
    Ok(rate(tasks, took))
}

/// Lets one worker process run tasks that wait, and reads from the store that all succeeded.
pub(crate) async fn drain(tasks: usize) -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tasks.db");
    let (backends, backend) = open(&file).await?;
    enqueue_many_on((0..tasks as u64).map(|n| noop::new(n, NOTE)).collect(), &backends).await?;
    let worker = start_worker("batch", &[file.to_str().ok_or("the folder's name is no text")?])?;
    let output = worker.wait_with_output().await?;
    let took: f64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    let admin = task_core::TaskBackend::admin(&*backend).ok_or("it cannot be operated")?;
    let counts = admin.counts().await?;
    let done = counts
        .iter()
        .find(|count| count.status == task_core::TaskStatus::Successful)
        .map_or(0, |c| c.tasks);
    if done != tasks as u64 {
        return Err(format!("{done} of {tasks} tasks succeeded").into());
    }
    backends.close().await;
    Ok(rate(tasks, Duration::from_secs_f64(took)))
}

/// Enqueues one task at a time from several callers at once.
pub(crate) async fn concurrent_callers(callers: usize, each: usize) -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let (backends, _) = open(&folder.path().join("tasks.db")).await?;
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let backends = backends.clone();
        tasks.push(tokio::spawn(async move {
            for number in 0..each as u64 {
                noop::new(number, NOTE).enqueue_on(&backends).await?;
            }
            Ok::<_, task_core::Error>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let took = began.elapsed();
    backends.close().await;
    Ok(rate(callers * each, took))
}

/// Leaves so many waiting tasks in a file, or under a name on a server.
pub(crate) fn fill(tasks: &str, place: &[&str]) -> Outcome {
    let tasks: u64 = tasks.parse()?;
    crate::runtime()?.block_on(async {
        let backends = open_place(place).await?;
        enqueue_many_on((0..tasks).map(|n| noop::new(n, NOTE)).collect(), &backends).await?;
        backends.close().await;
        Ok(())
    })
}

async fn open_place(place: &[&str]) -> Outcome<Backends> {
    Ok(match place {
        [server, name] => crate::server::open(server, name).await?,
        [file] => open(Path::new(file)).await?.0,
        _ => return Err("a place is a file, or a server and a name there".into()),
    })
}

/// Starts this program as a worker on the file, or on a server and a name there.
pub(crate) fn start_worker(mode: &str, place: &[&str]) -> Outcome<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .arg("worker")
        .arg(mode)
        .args(place)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?)
}

/// The worker process: `batch` drains and prints how many seconds that took, `serve`
/// says that it is ready and works until it is killed.
pub(crate) fn worker_process(mode: &str, place: &[&str]) -> Outcome {
    crate::runtime()?.block_on(async {
        let backends = open_place(place).await?;
        let options = WorkerOptions {
            batch: mode == "batch",
            ..WorkerOptions::default()
        };
        let worker = Worker::new(backends.get("default")?.clone(), Registry::collected()?, options)?;
        if mode == "serve" {
            println!("ready");
        }
        let began = Instant::now();
        worker.run(Shutdown::on_signals()?).await?;
        if mode == "batch" {
            println!("{}", began.elapsed().as_secs_f64());
        }
        backends.close().await;
        Ok(())
    })
}
