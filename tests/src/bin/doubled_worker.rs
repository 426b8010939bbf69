//! A worker with two tasks of one name. In one crate the compiler would refuse them.

use task_core::task;

/// Another one under the name of a task of the crate it also runs.
#[task(name = "conformance::echo")]
async fn greet() {}

task_worker::worker! { tasks = [conformance, crate] }
