//! Closing and opening again.

use std::sync::Arc;

use task_core::{CancelRequest, Cancellation, TaskStatus, WorkerKey};

use crate::Store;
use crate::played_worker::{claimed_ids, failed, succeeded};
use crate::scene::{LEASE, ids, in_queue, many, new_task, with_policy};

/// Every stored state survives a restart: tasks in all states are found as they were.
pub async fn tasks_in_every_state_are_there_again(mut store: Store) {
    let mut tasks = store.one_of_each_state("q").await;
    tasks.extend(store.one_of_each_state("another queue").await);
    let tasks: Vec<_> = tasks.into_iter().map(|(_, id)| id).collect();
    let before = store.find_all(&tasks).await;
    let counts = store.admin().counts().await.expect("counted");
    let workers = store.admin().workers().await.expect("listed");
    store.reopen().await;
    assert_eq!(store.find_all(&tasks).await, before);
    assert_eq!(store.admin().counts().await.expect("counted"), counts);
    assert_eq!(store.admin().workers().await.expect("listed"), workers);
}

/// When it returns `Ok`, every task is stored as durably as the backend promises: what was
/// enqueued last is there after a restart, and can be claimed.
pub async fn what_was_enqueued_last_is_there_again(mut store: Store) {
    let mut expected = Vec::new();
    for _ in 0..3 {
        expected.extend(ids(&store.enqueue_all(many(40)).await));
        store.reopen().await;
    }
    let claimed = store.worker("w").await.claim(1_000).await;
    assert_eq!(claimed_ids(&claimed), expected);
}

/// What was told is there after a restart.
pub async fn the_end_of_an_attempt_is_there_again(mut store: Store) {
    let worker = store.worker("w").await;
    let tasks = ids(&store.enqueue_all(many(2)).await);
    let mut claimed = worker.claim(2).await;
    worker
        .finish(vec![
            succeeded(claimed.remove(0), "\"kept\""),
            failed(claimed.remove(0), "kept, too"),
        ])
        .await;
    let before = store.find_all(&tasks).await;
    store.reopen().await;
    assert_eq!(store.find_all(&tasks).await, before);
    assert_eq!(before[0].return_value.as_deref(), Some("\"kept\""));
}

/// A lease is a matter of the store: it is valid when the connection is another one.
pub async fn a_lease_outlives_the_process_that_claimed(mut store: Store) {
    let task = store.enqueue(new_task()).await;
    let claimed = store.worker("w").await.claim_one().await;
    store.reopen().await;
    let other = store.worker("other").await;
    other.finish(vec![succeeded(claimed, "1")]).await;
    let found = store.find(task.id).await;
    assert_eq!(found.status, TaskStatus::Successful);
    assert_eq!(found.worker_ids, ["w"], "by whom it was claimed");
}

/// Dead workers are noticed by other workers or by the next start.
pub async fn a_dead_process_is_noticed_by_the_next_one(mut store: Store) {
    let task = store.enqueue(with_policy(1, 3)).await;
    let key: WorkerKey = {
        let dead = store.worker("dead").await;
        dead.claim_one().await;
        dead.key
    };
    store.reopen().await;
    assert_eq!(store.rescue().await.workers, 0, "its lease still runs");
    store.outlive_leases().await;
    let rescued = store.rescue().await;
    assert_eq!((rescued.workers, rescued.returned), (1, 1));
    let again = store.worker("dead").await;
    assert_ne!(again.key, key);
    assert_eq!(again.claim_one().await.record.id, task.id);
}

/// A request to cancel is stored like everything else.
pub async fn a_request_to_cancel_outlives_the_process(mut store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    worker.claim_one().await;
    let key = worker.key;
    let answer = store
        .backend()
        .cancel(task.id, &CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(answer, Cancellation::Requested);
    store.reopen().await;
    let renewal = store.queue().renew(key, LEASE).await.expect("an answer");
    let task_core::Renewal::Renewed { canceled, .. } = renewal else {
        panic!("it lives");
    };
    assert_eq!(canceled, [task.id]);
}

/// Calls after it fail.
pub async fn calls_after_closing_fail(store: Store) {
    let task = store.enqueue(new_task()).await;
    let closed = store.open().await;
    closed.close().await;
    closed.enqueue(vec![new_task()]).await.expect_err("closed");
    closed.find(task.id).await.expect_err("closed");
    closed
        .cancel(task.id, &CancelRequest::default())
        .await
        .expect_err("closed");
    let admin = closed.admin().expect("the operator's face");
    admin.counts().await.expect_err("closed");
    admin.retry(task.id).await.expect_err("closed");
    let queue = closed.queue().expect("the worker's face");
    queue.rescue(1).await.expect_err("closed");
    assert_eq!(store.find(task.id).await, task, "others are not closed by it");
    store.enqueue(new_task()).await;
}

/// Finishes what is being written: whoever was answered with `Ok` while the store was
/// closed finds their task afterwards.
pub async fn closing_finishes_what_was_handed_in(store: Store) {
    let closing = store.open().await;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..8 {
        let backend = Arc::clone(&closing);
        callers.spawn(async move {
            let mut accepted = Vec::new();
            // Until it is closed.
            while let Ok(records) = backend.enqueue(vec![in_queue(&format!("q-{caller}"))]).await {
                accepted.extend(ids(&records));
            }
            accepted
        });
    }
    store.enqueue(new_task()).await;
    closing.close().await;
    let accepted: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    for id in &accepted {
        assert!(store.has(*id).await, "accepted, and not there");
    }
    let listed = store.list_all(&task_core::Filter::default(), 1_000).await;
    assert_eq!(listed.len(), accepted.len() + 1, "what was refused is not there");
}

/// Closing twice is closing.
pub async fn closing_twice_is_closing(mut store: Store) {
    let task = store.enqueue(new_task()).await;
    store.backend().close().await;
    store.reopen().await;
    assert_eq!(store.find(task.id).await, task);
}
