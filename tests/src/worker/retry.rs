//! Tasks that run again after they failed.

use std::time::Duration;

use task_core::{CancelRequest, Cancellation, Outcome, TaskStatus};

use crate::Store;
use crate::played_worker::{ended, failed_for_now, succeeded};
use crate::scene::{failure, new_task, with_policy};

const MINUTE: Duration = Duration::from_secs(60);

/// Attempts, workers and errors add up; the first attempt gives `started_at`, the last one
/// `last_attempted_at`; a success in the end keeps what failed before.
pub async fn attempts_workers_times_and_errors_add_up(store: Store) {
    let task = store.enqueue(with_policy(3, 3)).await;
    let mut began = Vec::new();
    for attempt in 1..=2_u32 {
        let worker = store.worker(&format!("w-{attempt}")).await;
        let claimed = worker.claim_one().await;
        let claimed_at = claimed.claimed_at;
        began.push(claimed_at + Duration::from_millis(1));
        worker
            .finish(vec![failed_for_now(claimed, "not yet", Duration::ZERO)])
            .await;
        store.advance(MINUTE).await;
        let found = store.find(task.id).await;
        assert_eq!((found.status, found.attempts), (TaskStatus::Ready, attempt));
        assert_eq!(found.errors.len(), began.len());
        assert_eq!(found.worker_ids.len(), began.len());
        assert_eq!(found.started_at, began.first().copied());
        assert_eq!(found.last_attempted_at, began.last().copied());
        assert_eq!((found.finished_at, found.return_value), (None, None));
        let due = claimed_at + Duration::from_millis(3);
        assert_eq!(found.run_after, Some(due), "from when on it may run again");
    }
    let worker = store.worker("w-3").await;
    let claimed = worker.claim_one().await;
    let running = store.find(task.id).await;
    assert_eq!((running.status, running.attempts), (TaskStatus::Running, 3));
    assert_eq!(running.worker_ids, ["w-1", "w-2", "w-3"]);
    assert_eq!(running.started_at, began.first().copied());
    assert_eq!(running.last_attempted_at, Some(claimed.claimed_at));

    let at = claimed.claimed_at;
    worker.finish(vec![succeeded(claimed, "\"at last\"")]).await;
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Successful, 3));
    assert_eq!(found.worker_ids, ["w-1", "w-2", "w-3"]);
    assert_eq!(found.errors.len(), 2);
    assert_eq!(found.started_at, began.first().copied());
    assert_eq!(found.last_attempted_at, Some(at + Duration::from_millis(1)));
    assert_eq!(found.return_value.as_deref(), Some("\"at last\""));
    assert!(found.finished_at > found.last_attempted_at);
}

/// The policy that is stored with the task decides: the failure of its last attempt is final.
pub async fn the_failure_of_the_last_attempt_is_final(store: Store) {
    let worker = store.steady_worker("w").await;
    let task = store.enqueue(with_policy(3, 3)).await;
    for attempt in 1..=3 {
        let claimed = worker.claim_one().await;
        assert_eq!(claimed.record.attempts + 1, attempt);
        assert_eq!(claimed.last_attempt, 3);
        let record = &claimed.record;
        let ended_badly = Err(failure("always"));
        let outcome = Outcome::of(
            ended_badly,
            record.id,
            &record.policy,
            attempt,
            claimed.last_attempt,
        );
        assert_eq!(matches!(outcome, Outcome::Retry(..)), attempt < 3);
        worker.finish(vec![ended(claimed, outcome)]).await;
        store.advance(Duration::from_secs(5)).await;
    }
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Failed, 3));
    assert_eq!(found.errors.len(), 3);
    store.advance(10 * MINUTE).await;
    assert_eq!(store.worker("v").await.claim(10).await.len(), 0);
}

/// A retry waits until it is due.
pub async fn a_retry_is_claimed_once_it_is_due_and_not_before(store: Store) {
    let worker = store.steady_worker("w").await;
    let task = store.enqueue(with_policy(2, 3)).await;
    let claimed = worker.claim_one().await;
    worker
        .finish(vec![failed_for_now(claimed, "later", 10 * MINUTE)])
        .await;
    store.advance(9 * MINUTE).await;
    assert_eq!(store.worker("early").await.claim(10).await.len(), 0);
    store.advance(2 * MINUTE).await;
    let claimed = store.worker("in time").await.claim_one().await;
    assert_eq!((claimed.record.id, claimed.record.attempts), (task.id, 1));
}

/// A retry may go to another worker while the batch it was claimed with goes on, and
/// shows who runs it now.
pub async fn a_retry_may_go_to_another_worker_while_its_batch_goes_on(store: Store) {
    let (old, new) = (store.worker("old").await, store.worker("new").await);
    let task = store.enqueue(with_policy(3, 3)).await;
    store.enqueue(new_task()).await;
    let mut batch = new.claim(2).await;
    let (first, mut held) = (batch.remove(0), batch);
    new.finish(vec![failed_for_now(first, "once", Duration::ZERO)])
        .await;
    store.advance(Duration::from_secs(1)).await;
    let again = old.claim_one().await;
    assert_eq!(again.record.id, task.id);
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Running, 2));
    assert_eq!(found.worker_ids, ["new", "old"]);
    assert_eq!(found.last_attempted_at, Some(again.claimed_at));

    let at = again.claimed_at;
    old.finish(vec![succeeded(again, "2")]).await;
    let rest = held.pop().expect("the other task of the batch");
    new.finish(vec![succeeded(rest, "1")]).await;
    let found = store.find(task.id).await;
    assert_eq!(found.worker_ids, ["new", "old"]);
    assert_eq!(found.last_attempted_at, Some(at + Duration::from_millis(1)));
}

/// What is claimed again is the task as it was found a moment before, with its history.
pub async fn what_is_claimed_again_is_the_task_as_it_was_found_before(store: Store) {
    let worker = store.steady_worker("w").await;
    let task = store.enqueue(with_policy(3, 3)).await;
    let claimed = worker.claim_one().await;
    worker
        .finish(vec![failed_for_now(claimed, "once", Duration::from_secs(5))])
        .await;
    store.advance(Duration::from_secs(10)).await;
    let found = store.find(task.id).await;
    let claimed = worker.claim_one().await;
    assert_eq!(claimed.record, found);
    assert_eq!(claimed.last_attempt, 3);
}

/// A task that waits for its retry can be canceled, and keeps its history.
pub async fn a_retried_task_can_be_canceled_while_it_waits(store: Store) {
    let worker = store.steady_worker("w").await;
    for delay in [Duration::ZERO, MINUTE] {
        let task = store.enqueue(with_policy(3, 3)).await;
        let claimed = worker.claim_one().await;
        worker.finish(vec![failed_for_now(claimed, "once", delay)]).await;
        let answer = store
            .backend()
            .cancel(task.id, &CancelRequest::default())
            .await
            .expect("it is there");
        assert_eq!(answer, Cancellation::Canceled);
        let found = store.find(task.id).await;
        assert_eq!((found.status, found.attempts), (TaskStatus::Canceled, 1));
        assert_eq!((found.errors.len(), found.worker_ids.len()), (1, 1));
        assert!(found.finished_at.is_some() && found.started_at.is_some());
    }
    store.advance(2 * MINUTE).await;
    assert_eq!(
        store.worker("v").await.claim(10).await.len(),
        0,
        "never run again"
    );
}

/// A retry that is due after longer than any clock shows can be read like any other task.
pub async fn a_retry_after_ages_stays_readable(store: Store) {
    let worker = store.steady_worker("w").await;
    let task = store.enqueue(with_policy(2, 3)).await;
    let claimed = worker.claim_one().await;
    worker
        .finish(vec![failed_for_now(claimed, "never again", Duration::MAX)])
        .await;
    assert_eq!(store.find(task.id).await.status, TaskStatus::Ready);
    let claim = worker.try_claim(10).await.expect("the worker lives");
    assert_eq!(claim.tasks.len(), 0);
    let answer = store
        .backend()
        .cancel(task.id, &CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(answer, Cancellation::Canceled);
}
