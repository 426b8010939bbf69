//! Deleting finished tasks while workers hold others.

use std::time::Duration;

use task_core::TaskStatus;

use super::prune::older_than;
use crate::Store;
use crate::played_worker::{claimed_ids, failed, failed_for_now, succeeded};
use crate::scene::{LEASE, ids, many, new_task, with_policy};

/// A batch of which some tasks ended and were deleted is still rescued: what has not
/// ended runs again, and the rest stays deleted.
pub async fn pruning_a_part_of_a_batch_leaves_the_rest_to_be_rescued(store: Store) {
    let tasks = ids(&store.enqueue_all(many(3)).await);
    let worker = store.worker("w").await;
    let mut batch = worker.claim(3).await;
    worker
        .finish(vec![
            succeeded(batch.remove(0), "1"),
            failed(batch.remove(1), "no"),
        ])
        .await;
    store.advance(Duration::from_secs(5)).await;
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 2);
    store.outlive_leases().await;
    let rescued = store.rescue().await;
    assert_eq!((rescued.workers, rescued.returned, rescued.failed), (1, 1, 0));
    assert!(!store.has(tasks[0]).await && !store.has(tasks[2]).await);
    let found = store.find(tasks[1]).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Ready, 1));
    let claimed = store.worker("v").await.claim(10).await;
    assert_eq!(claimed_ids(&claimed), [tasks[1]]);
}

/// A task that is enqueued after others were pruned is a new one, to whoever holds the batch
/// in which those were claimed.
pub async fn a_task_enqueued_after_pruning_is_not_taken_for_a_pruned_one(store: Store) {
    let worker = store.worker("w").await;
    store.enqueue_all(many(2)).await;
    let mut batch = worker.claim(2).await;
    let newest = batch.pop().expect("two");
    let held = batch.pop().expect("two");
    worker.finish(vec![succeeded(newest, "1")]).await;
    store.advance(Duration::from_secs(5)).await;
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 1);
    let fresh = store.enqueue(new_task()).await;
    assert_eq!(store.find(fresh.id).await, fresh);
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 1, "the one that was held");
    assert_eq!(store.find(fresh.id).await, fresh, "nobody ever ran it");
    let claimed = store.worker("v").await.claim(10).await;
    assert_eq!(claimed_ids(&claimed), [held.record.id, fresh.id]);
}

/// Every attempt's error is kept with its worker, also when that worker left long ago and
/// everything else it did was deleted.
pub async fn the_history_of_what_stays_keeps_its_workers(store: Store) {
    let day = Duration::from_secs(86_400);
    let old = store.worker("long gone").await;
    let stays = store.enqueue(with_policy(3, 3)).await;
    let claimed = old.claim_one().await;
    old.finish(vec![failed_for_now(claimed, "once", 1_000 * day)])
        .await;
    store.enqueue_all(many(3)).await;
    let claimed = old.claim(3).await;
    let ends = claimed.into_iter().map(|task| succeeded(task, "1"));
    old.finish(ends.collect()).await;
    old.leave().await;
    let before = store.find(stays.id).await;
    assert_eq!(before.worker_ids, ["long gone"]);
    store.advance(100 * day).await;
    store.worker("new").await;
    assert_eq!(store.prune(&older_than(day)).await, 3);
    assert_eq!(store.find(stays.id).await, before);
}

/// A worker whose lease ran out and whom nobody gave up yet may still have claimed and
/// finished: that is kept like everything else it did.
pub async fn what_a_worker_did_after_its_lease_ran_out_stays_told(store: Store) {
    let worker = store.worker("slow").await;
    store.advance(2 * LEASE).await;
    let task = store.enqueue(new_task()).await;
    // Whether it may claim is up to the backend; if it may, what it did counts.
    let Ok(claim) = worker.try_claim(1).await else {
        assert_eq!(store.find(task.id).await, task);
        return;
    };
    let claimed = claim.tasks.into_iter().next().expect("one is there");
    worker.finish(vec![failed(claimed, "no")]).await;
    let before = store.find(task.id).await;
    assert_eq!((before.errors.len(), before.worker_ids.len()), (1, 1));
    store.rescue().await;
    assert_eq!(store.prune(&older_than(100 * LEASE)).await, 0);
    assert_eq!(store.find(task.id).await, before);
}

/// Pruning and working at the same time get in nobody's way.
pub async fn tasks_that_are_pruned_while_others_are_claimed(store: Store) {
    let worker = store.steady_worker("w").await;
    store.enqueue_all(many(1_500)).await;
    let backend = store.backend().clone();
    let pruning = tokio::spawn(async move {
        let admin = backend.admin().expect("the operator's face");
        let mut deleted = 0;
        while deleted < 1_500 {
            deleted += admin.prune(&older_than(Duration::ZERO)).await.expect("pruned");
            tokio::task::yield_now().await;
        }
        deleted
    });
    let mut done = 0;
    while done < 1_500 {
        let claimed = worker.claim(100).await;
        done += claimed.len();
        let ends = claimed.into_iter().map(|task| succeeded(task, "1"));
        worker.finish(ends.collect()).await;
        store.advance(Duration::from_secs(1)).await;
    }
    assert_eq!(pruning.await.expect("pruning does not panic"), 1_500);
    assert_eq!(store.admin().counts().await.expect("counted"), []);
}
