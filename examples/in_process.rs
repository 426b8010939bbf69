//! A small application with its worker inside: one process, one binary.
//!
//! The application enqueues what people ask for and goes on; the worker runs beside it on the same
//! runtime. At Ctrl-C or SIGTERM both stop: the worker lets running tasks come to their end.
//!
//! Settings as for any program: `TASKS_CONFIG=tasks.toml`, a backend that workers can use, such as sqlite.

use std::time::Duration;

use task_core::{Backends, Registry, task};
use task_worker::{Shutdown, Worker, WorkerOptions};
use tokio::sync::mpsc;

/// Turn a word around.
#[task]
async fn reverse(word: String) -> String {
    tokio::time::sleep(Duration::from_millis(20)).await;
    word.chars().rev().collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    task_backends::init().await?;
    let backends = Backends::global()?;
    let shutdown = Shutdown::on_signals()?;
    let options = WorkerOptions {
        concurrency: 10,
        stop_timeout: Duration::from_secs(10),
        ..WorkerOptions::default()
    };
    let worker = Worker::new(backends.get("default")?.clone(), Registry::collected()?, options)?;
    let status = worker.status();
    let working = tokio::spawn(worker.run(shutdown.clone()));

    // The application's own work goes on until it is done or asked to stop.
    tokio::select! {
        answered = application() => answered?,
        () = shutdown.requested() => println!("asked to stop"),
    }

    // A second signal meanwhile gives back what runs; a worker elsewhere takes it.
    shutdown.stop();
    let summary = working.await??;
    println!(
        "{} succeeded, the worker is {}",
        summary.succeeded,
        status.state().as_str()
    );
    backends.close().await;
    Ok(())
}

/// Answers each line of standard input, one task for a word.
async fn application() -> Result<(), Box<dyn std::error::Error>> {
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        let words = line.split_whitespace().map(reverse::new);
        let mut answers = Vec::new();
        for mut result in task_core::enqueue_many(words.collect()).await? {
            answers.push(result.wait(Duration::from_secs(30)).await?);
        }
        println!("{}", answers.join(" "));
    }
    Ok(())
}

/// The lines of standard input, read on a thread that nobody waits for when the program ends: the
/// runtime would wait for its own.
fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
