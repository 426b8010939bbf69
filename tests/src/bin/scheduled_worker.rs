//! A worker with tasks that enqueue themselves.

use task_core::{TaskContext, task};

/// Returns its tick.
#[task(name = "scheduled::secondly", every = "1s", missed = "all", takes_context)]
async fn secondly(context: TaskContext) -> Option<String> {
    context.tick().map(|tick| tick.to_string())
}

/// Ticks while nobody looks.
#[task(
    name = "scheduled::leap_day",
    cron = "30 2 29 2 *",
    timezone = "Europe/Berlin",
    missed = "skip"
)]
async fn leap_day() {}

task_worker::worker! { tasks = [crate] }
