//! Claimed tasks that go back.

use std::sync::Arc;
use std::time::Duration;

use task_core::{FailureKind, LATEST_US, TaskStatus};

use crate::Store;
use crate::played_worker::{claimed_ids, interrupted, snoozing, succeeded, unstarted};
use crate::scene::{many, stopped, with_policy};

/// One that was not started returns as it was.
pub async fn one_that_was_not_started_returns_as_it_was(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(with_policy(2, 0)).await;
    for _ in 0..3 {
        let claimed = worker.claim_one().await;
        assert_eq!((claimed.record.attempts, claimed.last_attempt), (0, 2));
        worker.give_back(vec![unstarted(claimed)]).await;
        assert_eq!(store.find(task.id).await, task);
    }
}

/// One that snoozes returns as it was, due after that time.
pub async fn one_that_snoozes_returns_as_it_was_due_after_that_time(store: Store) {
    const MINUTE: Duration = Duration::from_secs(60);
    let worker = store.steady_worker("w").await;
    let task = store.enqueue(with_policy(2, 0)).await;
    for _ in 0..3 {
        let claimed = worker.claim_one().await;
        assert_eq!((claimed.record.attempts, claimed.last_attempt), (0, 2));
        let at = claimed.claimed_at;
        worker.give_back(vec![snoozing(claimed, 10 * MINUTE)]).await;
        let found = store.find(task.id).await;
        assert_eq!((found.status, found.attempts), (TaskStatus::Ready, 0));
        assert_eq!((found.errors, found.started_at), (Vec::new(), None));
        assert!(found.run_after >= Some(at + 10 * MINUTE), "{:?}", found.run_after);
        assert_eq!(worker.claim(10).await.len(), 0);
        store.advance(9 * MINUTE).await;
        assert_eq!(worker.claim(10).await.len(), 0, "nine minutes are not ten");
        store.advance(2 * MINUTE).await;
    }
    // However long: it waits until the latest time there is.
    let claimed = worker.claim_one().await;
    worker.give_back(vec![snoozing(claimed, Duration::MAX)]).await;
    let due = store.find(task.id).await.run_after.expect("it waits");
    assert_eq!(due.as_microsecond(), LATEST_US);
}

/// After an error the same tasks may be handed in again: they go back once.
pub async fn after_an_error_the_same_tasks_may_be_handed_in_again(store: Store) {
    let worker = store.worker("w").await;
    store.backend().enqueue(many(4)).await.expect("accepted");
    let mut claimed = worker.claim(4).await;
    let rest = claimed.split_off(3);
    let mut claimed = claimed.into_iter();
    let mut next = || claimed.next().expect("three");
    let tasks = Arc::new(vec![
        unstarted(next()),
        snoozing(next(), Duration::ZERO),
        interrupted(next(), stopped()),
    ]);
    for _ in 0..2 {
        worker.queue().give_back(tasks.clone()).await.expect("taken back");
    }
    let another = store.worker("another").await;
    let again = another.claim(10).await;
    assert_eq!(again.len(), 3);
    // Also after somebody else has them.
    worker.queue().give_back(tasks).await.expect("left alone");
    assert_eq!(another.claim(10).await.len(), 0);
    for task in again.into_iter().chain(rest) {
        let id = task.record.id;
        assert_eq!(store.find(id).await.status, TaskStatus::Running);
    }
}

/// One that snoozes and is canceled meanwhile ends `CANCELED`.
pub async fn one_that_snoozes_and_is_canceled_ends_canceled(store: Store) {
    let worker = store.worker("w").await;
    let [running, waiting] = [0, 1].map(|_| with_policy(1, 3));
    let (running, waiting) = (store.enqueue(running).await, store.enqueue(waiting).await);
    let [first, second]: [_; 2] = worker.claim(2).await.try_into().expect("both");
    store.cancel(running.id).await;
    let snooze = Duration::from_secs(60);
    worker
        .give_back(vec![snoozing(first, snooze), snoozing(second, snooze)])
        .await;
    assert_eq!(store.find(running.id).await.status, TaskStatus::Canceled);
    store.cancel(waiting.id).await;
    assert_eq!(store.find(waiting.id).await.status, TaskStatus::Canceled);
    store.advance(2 * snooze).await;
    assert_eq!(worker.claim(10).await.len(), 0);
}

/// One that was interrupted keeps the attempt in its history, but it does not
/// count as the task's own failure.
pub async fn one_that_was_interrupted_keeps_the_attempt_in_its_history(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(with_policy(1, 3)).await;
    let claimed = worker.claim_one().await;
    let at = claimed.claimed_at;
    worker.give_back(vec![interrupted(claimed, stopped())]).await;
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Ready, 1));
    assert_eq!(found.worker_ids, ["w"]);
    assert_eq!(found.started_at, Some(at));
    assert_eq!(found.errors.len(), 1);
    assert_eq!((found.errors[0].attempt, found.errors[0].started_at), (1, at));
    assert_eq!(found.errors[0].failure, stopped());
    // Its only attempt is still ahead of it.
    let claimed = worker.claim_one().await;
    assert_eq!((claimed.record.attempts, claimed.last_attempt), (1, 2));
    worker.finish(vec![succeeded(claimed, "1")]).await;
    assert_eq!(store.find(task.id).await.attempts, 2);
}

/// An interrupted at-most-once task is `FAILED`.
pub async fn an_interrupted_at_most_once_task_is_failed(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(with_policy(5, 0)).await;
    let claimed = worker.claim_one().await;
    worker.give_back(vec![interrupted(claimed, stopped())]).await;
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Failed, 1));
    assert_eq!(found.errors[0].failure, stopped());
    assert_eq!(found.worker_ids, ["w"]);
    assert!(found.finished_at >= found.started_at && found.started_at.is_some());
    assert_eq!(worker.claim(10).await.len(), 0);
}

/// An at-most-once task that was not started has not run, so it returns.
pub async fn an_at_most_once_task_that_was_not_started_returns(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(with_policy(1, 0)).await;
    worker.give_back(vec![unstarted(worker.claim_one().await)]).await;
    assert_eq!(store.find(task.id).await, task);
    assert_eq!(worker.claim_one().await.record.id, task.id);
}

/// A task whose lease is no longer valid is left alone.
pub async fn a_task_whose_lease_is_no_longer_valid_is_left_alone(store: Store) {
    let slow = store.worker("slow").await;
    store.enqueue_all(many(3)).await;
    let mut late = slow.claim_starting(3, 0).await;
    let tasks = claimed_ids(&late);
    store.outlive_leases().await;
    store.rescue().await;
    let other = store.worker("other").await;
    let mut taken = other.claim(2).await;
    other.finish(vec![succeeded(taken.remove(0), "1")]).await;
    let before = store.find_all(&tasks).await;
    let statuses: Vec<_> = before.iter().map(|record| record.status).collect();
    assert_eq!(
        statuses,
        [TaskStatus::Successful, TaskStatus::Running, TaskStatus::Ready]
    );
    let last = late.pop().expect("three were claimed");
    let mut back: Vec<_> = late.into_iter().map(unstarted).collect();
    back.push(interrupted(last, stopped()));
    slow.give_back(back).await;
    assert_eq!(store.find_all(&tasks).await, before);
    let left = store.worker("third").await.claim(10).await;
    assert_eq!(claimed_ids(&left), [tasks[2]], "no task is there twice");
}

/// Gives claimed tasks back, to be claimed again at once.
pub async fn what_is_given_back_can_be_claimed_at_once(store: Store) {
    let (giving, taking) = (store.worker("giving").await, store.worker("taking").await);
    store.backend().enqueue(many(4)).await.expect("accepted");
    let claimed = giving.claim(4).await;
    let tasks = claimed_ids(&claimed);
    assert_eq!(taking.claim(10).await.len(), 0);
    let back = claimed.into_iter().enumerate().map(|(number, task)| {
        if number % 2 == 0 {
            unstarted(task)
        } else {
            interrupted(task, stopped())
        }
    });
    giving.give_back(back.collect()).await;
    assert_eq!(claimed_ids(&taking.claim(10).await), tasks);
}

/// The rest of a batch is still its worker's, and what was given back is not rescued again.
pub async fn the_rest_of_the_batch_goes_on(store: Store) {
    let worker = store.worker("w").await;
    store.backend().enqueue(many(4)).await.expect("accepted");
    let mut batch = worker.claim(4).await;
    let tasks = claimed_ids(&batch);
    let back = batch.remove(0);
    worker.give_back(vec![unstarted(back)]).await;
    worker.finish(vec![succeeded(batch.remove(0), "1")]).await;
    let other = store.worker("other").await;
    let taken = other.claim(10).await;
    assert_eq!(claimed_ids(&taken), tasks[..1]);
    store.advance(Duration::from_secs(20)).await;
    other.asked_to_stop().await;
    store.advance(Duration::from_secs(20)).await;
    let rescued = store.rescue().await;
    assert_eq!(
        (rescued.workers, rescued.returned),
        (1, 2),
        "the other two, and not the one that another worker has"
    );
    other
        .finish(taken.into_iter().map(|task| succeeded(task, "2")).collect())
        .await;
    assert_eq!(claimed_ids(&other.claim(10).await), tasks[2..]);
}

/// A worker that stops is not lost: being interrupted many times costs a task nothing, also
/// one that may not lose any more workers.
pub async fn an_interruption_is_not_counted_as_a_loss(store: Store) {
    let task = store.enqueue(with_policy(1, 1)).await;
    store.worker("lost").await.claim_one().await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 1, "its only one");
    let worker = store.worker("w").await;
    for _ in 0..4 {
        let claimed = worker.claim_one().await;
        worker.give_back(vec![interrupted(claimed, stopped())]).await;
    }
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Ready, 5));
    let kinds: Vec<_> = found.errors.iter().map(|error| error.failure.kind).collect();
    assert_eq!(kinds[..1], [FailureKind::WorkerLost]);
    assert_eq!(kinds[1..], [FailureKind::Interrupted; 4]);
    worker.claim_one().await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.failed, 1, "the second one is too many");
}
