//! A worker with two tasks of one name.

use task_core::task;

/// The first one.
#[task(name = "doubled::greet")]
async fn greet() {}

/// Another one under the same name.
#[task(name = "doubled::greet")]
async fn greet_again() {}

task_worker::worker! { tasks = [crate] }
