//! Looking after workers that died: their tasks run again.

use std::time::{Duration, Instant};

use task_core::TaskQueue;

/// How many tasks one rescue takes at a time: bounds its transaction.
const AT_A_TIME: usize = 2000;

/// Looks for lost workers and returns their tasks, for about this long: whoever looks has a lease of its
/// own to renew. Every worker does; the store lets only one have each task.
pub(crate) async fn look_after_others(queue: &dyn TaskQueue, time: Duration) {
    let began = Instant::now();
    while began.elapsed() <= time {
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
