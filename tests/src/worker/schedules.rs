//! What the store keeps about schedules.

use std::sync::Arc;
use std::time::Duration;

use task_core::{Renewal, Timestamp};

use crate::Store;
use crate::played_worker::PlayedWorker;
use crate::scene::LEASE;

const MINUTE: Duration = Duration::from_secs(60);

impl PlayedWorker {
    async fn last_tick(&self, schedule: &str) -> Timestamp {
        let last = self.queue().last_ticks(&[schedule.into()]).await;
        last.expect("they are kept")[0]
    }

    async fn ticked(&self, schedule: &str, tick: Timestamp) {
        self.queue().ticked(schedule, tick).await.expect("kept");
    }

    /// The store's time, as a renewal tells it.
    async fn now(&self) -> Timestamp {
        match self.queue().renew(self.key, LEASE).await.expect("renewed") {
            Renewal::Renewed { now, .. } => now,
            Renewal::Lost => panic!("it lives"),
        }
    }
}

/// Makes schedules known, from now on, where they are not. Of one that was not known it is the store's time.
pub async fn a_schedule_that_was_not_known_begins_now(store: Store) {
    let worker = store.steady_worker("w").await;
    let before = worker.now().await;
    let first = worker.last_tick("app::report").await;
    assert!(first >= before && first <= worker.now().await);
    store.advance(10 * MINUTE).await;
    assert_eq!(worker.last_tick("app::report").await, first, "it is known now");
    let names: [Arc<str>; 3] = ["app::other".into(), "app::report".into(), "app::third".into()];
    let last = worker.queue().last_ticks(&names).await.expect("kept");
    assert_eq!(last[1], first);
    assert!(last[0] >= first + 10 * MINUTE && last[2] == last[0]);
    assert!(worker.queue().last_ticks(&[]).await.expect("none").is_empty());
}

/// The last tick never goes back. A schedule that is not known becomes known.
pub async fn the_last_tick_never_goes_back(store: Store) {
    let worker = store.steady_worker("w").await;
    let first = worker.last_tick("s").await;
    worker.ticked("s", first + 2 * MINUTE).await;
    worker.ticked("s", first + MINUTE).await;
    assert_eq!(worker.last_tick("s").await, first + 2 * MINUTE);
    worker.ticked("unknown", first).await;
    assert_eq!(worker.last_tick("unknown").await, first);
    let another = store.steady_worker("another").await;
    assert_eq!(another.last_tick("s").await, first + 2 * MINUTE);
}

/// A renewal tells the store's time.
pub async fn a_renewal_tells_the_stores_time(store: Store) {
    let worker = store.steady_worker("w").await;
    let before = worker.now().await;
    store.advance(10 * MINUTE).await;
    let after = worker.now().await;
    assert!(after >= before + 10 * MINUTE && after < before + 11 * MINUTE);
}
