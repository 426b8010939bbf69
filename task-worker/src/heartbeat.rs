//! Staying alive in the eyes of the store, and learning what shall stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{BackendAlias, Renewal, TaskId, WorkerKey};
use tokio::sync::mpsc;

/// The shortest time between two renewals: a busy store changes all the time.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// What the heartbeat tells the fetcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// Somebody wants these tasks to end; not all of them need be this worker's.
    Canceled(Vec<TaskId>),
    /// The lease was lost: the worker's tasks belong to others now.
    Lost,
}

/// Renews the lease three times per its length, and sooner when the store changed, since
/// then somebody may have canceled a task. Ends when the lease is lost.
pub(crate) async fn beat(
    alias: Arc<BackendAlias>,
    worker: WorkerKey,
    lease: Duration,
    pulses: mpsc::Sender<Pulse>,
) {
    let Some(queue) = alias.backend().queue() else {
        return;
    };
    let every = lease / 3;
    let pause = AT_MOST_EVERY.min(every);
    loop {
        let began = Instant::now();
        match queue.renew(worker, lease).await {
            Ok(Renewal::Renewed { canceled }) => {
                if !canceled.is_empty() && pulses.send(Pulse::Canceled(canceled)).await.is_err() {
                    return;
                }
            }
            Ok(Renewal::Lost) => {
                let _ = pulses.send(Pulse::Lost).await;
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot renew the lease, trying again");
                tokio::time::sleep(pause).await;
                continue;
            }
        }
        tokio::time::sleep(pause).await;
        alias
            .backend()
            .changed(every.saturating_sub(began.elapsed()))
            .await;
    }
}
