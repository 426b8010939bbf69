//! Joining, staying alive, leaving.

use std::time::Duration;

use task_core::{ErrorKind, Renewal, TaskStatus, WorkerInfo, WorkerKey};

use crate::Store;
use crate::played_worker::{introduction, succeeded};
use crate::scene::{LEASE, new_task};

/// The lease runs again from now, by the store's clock.
pub async fn the_lease_runs_again_from_now_by_the_stores_clock(store: Store) {
    let worker = store.worker("w").await;
    store.enqueue(new_task()).await;
    let claimed = worker.claim_one().await;
    for _ in 0..5 {
        store.advance(LEASE - Duration::from_secs(5)).await;
        let renewal = worker.renew().await;
        assert!(matches!(renewal, Renewal::Renewed { canceled, .. } if canceled.is_empty()));
        assert_eq!(store.rescue().await.workers, 0);
    }
    worker.finish(vec![succeeded(claimed, "1")]).await;
    // A lease may also be renewed for longer than it ran before.
    store
        .queue()
        .renew(worker.key, 10 * LEASE)
        .await
        .expect("it lives");
    store.advance(9 * LEASE).await;
    assert_eq!(store.rescue().await.workers, 0);
    store.advance(2 * LEASE).await;
    assert_eq!(store.rescue().await.workers, 1);
}

/// A worker that was given up is told so, and stays given up.
pub async fn a_worker_that_was_given_up_is_told_so_and_stays_given_up(store: Store) {
    let worker = store.worker("w").await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.workers, 1);
    for _ in 0..2 {
        assert_eq!(worker.renew().await, Renewal::Lost);
        let error = worker.try_claim(1).await.expect_err("it stays given up");
        assert_eq!(error.kind(), ErrorKind::State);
    }
    assert_eq!(store.rescue().await.workers, 0, "it is given up once");
    let again = store.worker("w").await;
    assert_ne!(again.key, worker.key, "who joins again is somebody else");
    assert_eq!(worker.renew().await, Renewal::Lost);
    assert_eq!(again.asked_to_stop().await, []);
}

/// While a lease runs nobody takes the tasks of its worker.
pub async fn a_lease_that_runs_is_not_taken(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    let claimed = worker.claim_one().await;
    store.advance(LEASE - Duration::from_secs(1)).await;
    let rescued = store.rescue().await;
    assert_eq!((rescued.workers, rescued.returned, rescued.failed), (0, 0, 0));
    assert_eq!(store.find(task.id).await.status, TaskStatus::Running);
    worker.finish(vec![succeeded(claimed, "1")]).await;
}

/// The lease had run out and the worker's tasks belong to others: also after leaving.
pub async fn a_worker_that_left_is_told_so(store: Store) {
    let worker = store.worker("w").await;
    worker.leave().await;
    assert_eq!(worker.renew().await, Renewal::Lost);
    worker.leave().await;
    assert_eq!(worker.renew().await, Renewal::Lost, "leaving twice is leaving");
}

/// A worker that nobody knows has no lease.
pub async fn a_worker_nobody_knows_is_told_so(store: Store) {
    let known = store.worker("w").await;
    let stranger = WorkerKey(known.key.0 + 1_000);
    let renewal = store.queue().renew(stranger, LEASE).await;
    assert_eq!(renewal.expect("an answer, not an error"), Renewal::Lost);
}

/// Ends the worker's lease. Its claimed tasks, if any are left, wait for a rescuer.
pub async fn the_tasks_of_a_worker_that_left_wait_for_a_rescuer(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    worker.claim_one().await;
    worker.leave().await;
    let other = store.worker("other").await;
    assert_eq!(other.claim(10).await.len(), 0, "not before a rescuer came");
    assert_eq!(store.rescue().await.returned, 1, "without waiting for any lease");
    assert_eq!(other.claim_one().await.record.id, task.id);
}

/// Its name, unique among living workers.
pub async fn one_name_belongs_to_one_living_worker(store: Store) {
    let worker = store.worker("w").await;
    let error = store.queue().join(&introduction("w")).await;
    let error = error.expect_err("one of this name lives");
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("`w`"), "{error}");
    assert_eq!(worker.asked_to_stop().await, [], "the first one does not suffer");
    store.worker("W").await;
}

/// A name is free again when its worker left, or when its lease ran out.
pub async fn a_name_is_free_again_after_leaving_or_the_end_of_the_lease(store: Store) {
    let first = store.worker("w").await;
    first.leave().await;
    let second = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    second.claim_one().await;
    store.outlive_leases().await;
    let third = store.worker("w").await;
    assert_eq!(second.renew().await, Renewal::Lost);
    assert_eq!(third.asked_to_stop().await, []);
    assert_eq!(store.rescue().await.returned, 1, "what the second one held");
    assert_eq!(third.claim_one().await.record.id, task.id);
}

/// Its name: 1 to 64 bytes without control characters.
pub async fn a_name_has_1_to_64_bytes(store: Store) {
    for name in ["w", &"w".repeat(64), &"\u{fc}".repeat(32), "a b'c\"d"] {
        store.worker(name).await;
    }
    for name in ["", &"w".repeat(65), &"\u{fc}".repeat(33), "a\0b", "a\n"] {
        let info = WorkerInfo {
            id: name.to_owned(),
            ..introduction("")
        };
        let error = store.queue().join(&info).await.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidTask, "{name}");
    }
}
