//! Staying alive in the eyes of the store, learning what shall stop, and looking after
//! workers that died.

use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{BackendAlias, Paused, Renewal, TaskId, WorkerKey};
use tokio::sync::mpsc;

use crate::meter::Meter;
use crate::rescuer::look_after_others;
use crate::store_time::StoreTime;
use crate::trust::Trust;

/// The shortest time between two renewals: a busy store changes all the time.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// What the heartbeat tells the fetcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// Somebody wants these tasks to end; not all of them need be this worker's.
    Canceled(Vec<TaskId>),
    /// This is paused now, and nothing else.
    Paused(Paused),
    /// The lease was lost: the worker's tasks belong to others now.
    Lost,
    /// The lease could not be renewed for as long as it runs: others may have the worker's tasks.
    Doubtful,
    /// It was renewed after all.
    Sure,
}

/// Renews the lease three times per its length, and sooner when the store changed, since
/// then somebody may have canceled a task. Ends when the lease is lost.
///
/// Looks for lost workers at the start and as often, but only with a lease of its own just
/// renewed: when the store was away, the others could not renew either and get a lease's
/// time to do so first.
pub(crate) async fn beat(
    alias: Arc<BackendAlias>,
    worker: WorkerKey,
    lease: Duration,
    meter: Arc<Meter>,
    time: Arc<StoreTime>,
    pulses: mpsc::Sender<Pulse>,
) {
    let Some(queue) = alias.backend().queue() else {
        return;
    };
    let every = lease / 3;
    let pause = AT_MOST_EVERY.min(every);
    let mut next_rescue = Instant::now();
    let mut known: Option<Paused> = None;
    let mut trust = Trust::new(next_rescue + lease, pulses.clone());
    loop {
        let began = Instant::now();
        match meter.heard(trust.wait_for(queue.renew(worker, lease)).await) {
            Ok(Renewal::Renewed {
                canceled,
                paused,
                now,
            }) => {
                time.heard(now);
                meter.renewed(began, lease);
                trust.renewed(began + lease).await;
                if !canceled.is_empty() && pulses.send(Pulse::Canceled(canceled)).await.is_err() {
                    return;
                }
                if known.as_ref() != Some(&paused) {
                    known = Some(paused.clone());
                    if pulses.send(Pulse::Paused(paused)).await.is_err() {
                        return;
                    }
                }
            }
            Ok(Renewal::Lost) => {
                let _ = pulses.send(Pulse::Lost).await;
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot renew the lease, trying again");
                next_rescue = Instant::now() + lease;
                tokio::time::sleep(pause).await;
                continue;
            }
        }
        if began.elapsed() > every {
            // The store was away, for the others as well: they renew first.
            next_rescue = Instant::now() + lease;
        }
        if Instant::now() >= next_rescue {
            let asked = Instant::now();
            trust.wait_for(look_after_others(queue, every)).await;
            let pause = if asked.elapsed() > every { lease } else { every };
            next_rescue = Instant::now() + pause;
        }
        // Both from now on: what changes during the pause is not missed.
        let change = alias.backend().changed(every.saturating_sub(began.elapsed()));
        tokio::join!(tokio::time::sleep(pause), change);
    }
}
