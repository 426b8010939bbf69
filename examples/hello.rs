//! A task from one end to the other: enqueued, run, its result read back.
//!
//! Where it is kept in between, the settings say. Without any it is `immediate`, which runs the task
//! inside `enqueue`: no database, no worker. With `TASKS_CONFIG=tasks.toml` it is whatever that file names.

use task_core::{Backends, TaskContext, task};

task_core::queues! { default, special }

/// Say hello.
#[task(priority = 10, queue = "special", takes_context, max_attempts = 3)]
async fn greet(context: TaskContext, name: String) -> Result<String, std::fmt::Error> {
    Ok(format!("Hello, {name}, at attempt {}", context.attempt()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> task_core::Result<()> {
    task_backends::init().await?;

    let mut result = greet::enqueue("Ada").await?;
    println!("{} is {}", result.id(), result.status());

    let backends = Backends::global()?;
    if !result.status().is_finished() {
        // This program is its own worker. An application has a program of its own for that, which is
        // one line: `task_worker::worker! { tasks = [app] }`.
        task_worker::drain(backends).await?;
        result.refresh().await?;
    }
    println!("{}", result.return_value()?);
    backends.close().await;
    Ok(())
}
