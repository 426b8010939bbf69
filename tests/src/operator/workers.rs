//! Listing workers.

use std::time::Duration;

use task_core::{WorkerInfo, WorkerRecord};

use crate::Store;
use crate::played_worker::{failed_for_now, introduction, succeeded, unstarted};
use crate::scene::{LEASE, with_policy};

impl Store {
    async fn workers(&self) -> Vec<WorkerRecord> {
        self.admin().workers().await.expect("workers can be listed")
    }

    async fn names_of_workers(&self) -> Vec<String> {
        let workers = self.workers().await;
        workers.into_iter().map(|worker| worker.id).collect()
    }
}

/// The workers that have joined and neither left nor been given up.
pub async fn those_that_have_joined_and_neither_left_nor_been_given_up(store: Store) {
    assert_eq!(store.names_of_workers().await, [] as [String; 0]);
    let leaving = store.worker("leaving").await;
    store.worker("dying").await;
    let living = store.worker("living").await;
    assert_eq!(store.names_of_workers().await, ["leaving", "dying", "living"]);
    leaving.leave().await;
    assert_eq!(store.names_of_workers().await, ["dying", "living"]);
    store.advance(LEASE - Duration::from_secs(5)).await;
    living.asked_to_stop().await;
    store.advance(Duration::from_secs(10)).await;
    store.rescue().await;
    assert_eq!(store.names_of_workers().await, ["living"]);
    store.worker("dying").await;
    assert_eq!(store.names_of_workers().await, ["living", "dying"]);
}

/// A worker is listed as it introduced itself.
pub async fn a_worker_is_listed_as_it_introduced_itself(store: Store) {
    let info = WorkerInfo {
        id: "worker \u{fc}'1\"".to_owned(),
        host: "host.example".to_owned(),
        pid: u32::MAX,
        queues: "* except slow".to_owned(),
        concurrency: 12_345,
        lease: Duration::from_secs(45),
    };
    store.queue().join(&info).await.expect("the worker may join");
    let listed = store.workers().await.pop().expect("one has joined");
    assert_eq!((&listed.id, &listed.host), (&info.id, &info.host));
    assert_eq!((listed.pid, listed.concurrency), (info.pid, info.concurrency));
    assert_eq!(listed.queues, info.queues);
    assert_eq!(listed.lease_until, listed.started_at + info.lease);
    assert_eq!(listed.claimed, 0);
}

/// How many tasks it holds.
pub async fn what_a_worker_holds_is_counted(store: Store) {
    let worker = store.worker("w").await;
    store.worker("idle").await;
    store
        .enqueue_all((0..6).map(|_| with_policy(2, 3)).collect())
        .await;
    let mut claimed = worker.claim(4).await;
    claimed.extend(worker.claim(2).await);
    let holds = async || {
        let workers = store.workers().await;
        workers
            .into_iter()
            .map(|worker| worker.claimed)
            .collect::<Vec<_>>()
    };
    assert_eq!(holds().await, [6, 0]);
    worker
        .finish(vec![
            succeeded(claimed.remove(0), "1"),
            failed_for_now(claimed.remove(0), "not yet", Duration::from_secs(60)),
        ])
        .await;
    assert_eq!(holds().await, [4, 0]);
    worker.give_back(vec![unstarted(claimed.remove(0))]).await;
    assert_eq!(holds().await, [3, 0]);
    let ends = claimed.into_iter().map(|task| succeeded(task, "1"));
    worker.finish(ends.collect()).await;
    assert_eq!(holds().await, [0, 0]);
}

/// Until when its lease runs.
pub async fn the_end_of_a_lease_moves_with_each_renewal(store: Store) {
    let info = introduction("w");
    let key = store.queue().join(&info).await.expect("the worker may join");
    let first = store.workers().await.pop().expect("one has joined").lease_until;
    store.advance(Duration::from_secs(10)).await;
    store.queue().renew(key, LEASE).await.expect("it lives");
    let second = store.workers().await.pop().expect("it lives").lease_until;
    let moved = (second.as_microsecond() - first.as_microsecond()) / 1_000_000;
    assert!((10..20).contains(&moved), "moved by {moved} s");
}
