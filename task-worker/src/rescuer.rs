//! Looking after workers that died: their tasks run again.

use std::sync::Arc;
use std::time::Duration;

use task_core::BackendAlias;

/// How many tasks one rescue takes at a time: bounds its transaction.
const AT_A_TIME: usize = 2000;

/// Looks for lost workers now and three times per lease from then on. Every worker does;
/// the store lets only one have each task.
pub(crate) async fn look_after_others(alias: Arc<BackendAlias>, lease: Duration) {
    let Some(queue) = alias.backend().queue() else {
        return;
    };
    loop {
        match queue.rescue(AT_A_TIME).await {
            Ok(rescued) if rescued.returned + rescued.failed > 0 => {
                tracing::warn!(
                    workers = rescued.workers,
                    returned = rescued.returned,
                    failed = rescued.failed,
                    "took over from lost workers"
                );
                continue;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot look for lost workers, trying again"),
        }
        tokio::time::sleep(lease / 3).await;
    }
}
