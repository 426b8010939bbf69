//! Looking after workers that died: their tasks run again.

use task_core::TaskQueue;

/// How many tasks one rescue takes at a time: bounds its transaction.
const AT_A_TIME: usize = 2000;

/// Looks for lost workers and returns their tasks. Every worker does; the store lets only one
/// have each task.
pub(crate) async fn look_after_others(queue: &dyn TaskQueue) {
    loop {
        match queue.rescue(AT_A_TIME).await {
            Ok(rescued) if rescued.returned + rescued.failed > 0 => {
                tracing::warn!(
                    workers = rescued.workers,
                    returned = rescued.returned,
                    failed = rescued.failed,
                    "took over from lost workers"
                );
            }
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "cannot look for lost workers, trying again");
                return;
            }
        }
    }
}
