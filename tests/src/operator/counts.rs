//! Counting tasks.

use std::time::Duration;

use task_core::{Count, TaskStatus};

use crate::Store;
use crate::played_worker::{failed_for_now, succeeded, unstarted};
use crate::scene::{many, with_policy};

impl Store {
    /// The counts as queue, state and number.
    async fn counts(&self) -> Vec<(String, TaskStatus, u64)> {
        let counts = self.admin().counts().await.expect("tasks can be counted");
        let mut sorted = counts.clone();
        sorted.sort_by_key(|count| (count.queue.clone(), count.status.as_str()));
        assert_eq!(counts, sorted, "sorted by queue and state");
        counts
            .into_iter()
            .map(|Count { queue, status, tasks }| (queue, status, tasks))
            .collect()
    }

    /// How many tasks are in this state.
    async fn in_state(&self, status: TaskStatus) -> u64 {
        let counts = self.counts().await;
        let of_state = counts.iter().filter(|(_, state, _)| *state == status);
        of_state.map(|(_, _, tasks)| tasks).sum()
    }
}

/// Counts tasks by queue and state, sorted by both; pairs without tasks are left out.
pub async fn every_pair_of_queue_and_state_is_counted(store: Store) {
    store.one_of_each_state("b").await;
    store.one_of_each_state("a").await;
    let expected = |queue: &str| {
        [
            (TaskStatus::Canceled, 2),
            (TaskStatus::Failed, 1),
            (TaskStatus::Ready, 3),
            (TaskStatus::Running, 1),
            (TaskStatus::Successful, 1),
        ]
        .map(|(status, tasks)| (queue.to_owned(), status, tasks))
    };
    assert_eq!(store.counts().await, [expected("a"), expected("b")].concat());
}

/// A task that was claimed is counted once: while it runs, when it went back, when it waits
/// for a retry beside the rest of its batch, and when that runs.
pub async fn a_claimed_task_is_counted_once_whatever_becomes_of_it(store: Store) {
    let worker = store.steady_worker("w").await;
    store
        .enqueue_all((0..4).map(|_| with_policy(5, 3)).collect())
        .await;
    let mut batch = worker.claim(4).await;
    assert_eq!(store.in_state(TaskStatus::Running).await, 4);
    worker.give_back(vec![unstarted(batch.remove(0))]).await;
    worker
        .finish(vec![
            succeeded(batch.remove(0), "1"),
            failed_for_now(batch.remove(0), "not yet", Duration::ZERO),
        ])
        .await;
    let now = [TaskStatus::Ready, TaskStatus::Running, TaskStatus::Successful];
    for (status, tasks) in now.into_iter().zip([2, 1, 1]) {
        assert_eq!(store.in_state(status).await, tasks, "{status}");
    }
    store.advance(Duration::from_secs(1)).await;
    let again = worker.claim(10).await;
    assert_eq!(again.len(), 2);
    for (status, tasks) in now.into_iter().zip([0, 3, 1]) {
        assert_eq!(store.in_state(status).await, tasks, "{status}, all claimed again");
    }
}

/// An empty store counts nothing, and so does one whose tasks nobody has claimed yet but in
/// one state.
pub async fn an_empty_store_counts_nothing(store: Store) {
    assert_eq!(store.counts().await, []);
    store.enqueue_all(many(3)).await;
    let expected = ("default".to_owned(), TaskStatus::Ready, 3);
    assert_eq!(store.counts().await, [expected]);
}
