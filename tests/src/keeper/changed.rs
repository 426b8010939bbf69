//! Waiting for a change.

use std::time::{Duration, Instant};

use crate::Store;
use crate::scene::{PATIENCE, SOON, new_task};

/// Returns when a task may have changed, or after `timeout`.
pub async fn it_returns_when_a_task_may_have_changed(store: Store) {
    let backend = store.backend().clone();
    let waiting = tokio::spawn(async move { backend.changed(PATIENCE).await });
    let began = Instant::now();
    // A change that comes before the waiter stands in line does not count, so there are several.
    while !waiting.is_finished() {
        store.enqueue(new_task()).await;
        assert!(
            began.elapsed() < SOON,
            "tasks are enqueued and nobody hears of it"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    waiting.await.expect("waiting does not panic");
}

/// Returns when a task may have changed, or after `timeout`.
pub async fn it_returns_after_the_timeout_when_nothing_changes(store: Store) {
    let returned = tokio::time::timeout(PATIENCE, store.backend().changed(Duration::from_millis(5))).await;
    returned.expect("the timeout ends it");
}
