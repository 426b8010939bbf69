//! Tasks of workers that were lost.

use std::time::Duration;

use task_core::{CancelRequest, Cancellation, FailureKind, Rescued, TaskStatus};

use crate::Store;
use crate::played_worker::{claimed_ids, failed, failed_for_now, succeeded, unstarted};
use crate::scene::{ids, many, new_task, with_policy};

/// At most `limit` tasks in one call; call again while it returns any.
pub async fn at_most_so_many_tasks_in_one_call(store: Store) {
    let tasks = ids(&store.enqueue_all(many(25)).await);
    assert_eq!(store.worker("w").await.claim(25).await.len(), 25);
    store.outlive_leases().await;
    let mut returned = Vec::new();
    loop {
        let rescued = store.queue().rescue(10).await.expect("rescuing works");
        if rescued.returned == 0 {
            break;
        }
        assert!(rescued.returned <= 10, "{} in one call", rescued.returned);
        returned.push(rescued.returned);
    }
    assert_eq!(returned.iter().sum::<usize>(), 25, "{returned:?}");
    let claimed = store.worker("v").await.claim_all(25).await;
    assert_eq!(claimed_ids(&claimed), tasks);
}

/// A task that was not started returns as it was.
pub async fn a_task_that_was_not_started_returns_as_it_was(store: Store) {
    let tasks = store
        .enqueue_all((0..3).map(|_| with_policy(2, 1)).collect())
        .await;
    let worker = store.worker("w").await;
    let claimed = worker.claim_starting(3, 1).await;
    assert_eq!(claimed.len(), 3);
    store.outlive_leases().await;
    let rescued = store.rescue().await;
    assert_eq!((rescued.workers, rescued.returned, rescued.failed), (1, 3, 0));
    assert_eq!(store.find(tasks[0].id).await.attempts, 1, "only this one started");
    for task in &tasks[1..] {
        assert_eq!(store.find(task.id).await, *task);
    }
    let claimed = store.worker("v").await.claim(10).await;
    let attempts: Vec<_> = claimed
        .iter()
        .map(|task| (task.record.attempts, task.last_attempt))
        .collect();
    assert_eq!(attempts, [(1, 3), (0, 2), (0, 2)]);
}

/// A started one keeps the attempt in its history as lost, and runs again unless it
/// lost more workers than it may.
pub async fn a_started_one_keeps_the_attempt_in_its_history_as_lost(store: Store) {
    let task = store.enqueue(with_policy(1, 3)).await;
    let claimed = store.worker("the lost one").await.claim_one().await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 1);
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Ready, 1));
    assert_eq!(found.worker_ids, ["the lost one"]);
    assert_eq!(found.started_at, Some(claimed.claimed_at));
    assert_eq!((found.finished_at, found.return_value), (None, None));
    let error = &found.errors[0];
    assert_eq!((error.attempt, error.worker_id.as_str()), (1, "the lost one"));
    assert_eq!(error.failure.kind, FailureKind::WorkerLost);
    assert!(
        error.failure.message.contains("the lost one"),
        "{}",
        error.failure
    );
    assert!(error.ended_at > error.started_at);
    let again = store.worker("v").await.claim_one().await;
    assert_eq!((again.record.attempts, again.last_attempt), (1, 2));
}

/// Two rescuers at a time return no task twice.
pub async fn two_rescuers_at_a_time_return_no_task_twice(store: Store) {
    store.enqueue_all(many(60)).await;
    for number in 0..6 {
        let worker = store.worker(&format!("w-{number}")).await;
        assert_eq!(worker.claim(10).await.len(), 10);
    }
    store.outlive_leases().await;
    let mut rescuers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let backend = store.backend().clone();
        rescuers.spawn(async move {
            let queue = backend.queue().expect("the worker's face");
            let mut all = Rescued::default();
            loop {
                let some = queue.rescue(10).await.expect("rescuing works");
                all.workers += some.workers;
                all.returned += some.returned;
                if some.returned == 0 {
                    return all;
                }
            }
        });
    }
    let all = rescuers.join_all().await;
    assert_eq!(all.iter().map(|some| some.workers).sum::<usize>(), 6);
    assert_eq!(all.iter().map(|some| some.returned).sum::<usize>(), 60);
    let mut claimed = claimed_ids(&store.worker("v").await.claim_all(100).await);
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), 60);
}

/// A lost worker is not the task's fault: it runs again, up to `max_lost` times, then it is
/// `FAILED` with that reason. Every attempt's error is kept.
pub async fn a_task_that_lost_too_many_workers_is_failed_with_that_reason(store: Store) {
    let task = store.enqueue(with_policy(1, 2)).await;
    for loss in 1..=3 {
        let worker = store.worker(&format!("w-{loss}")).await;
        assert_eq!(worker.claim_one().await.record.id, task.id);
        store.outlive_leases().await;
        let rescued = store.rescue().await;
        let expected = if loss <= 2 { (1, 0) } else { (0, 1) };
        assert_eq!((rescued.returned, rescued.failed), expected, "loss {loss}");
    }
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Failed, 3));
    assert_eq!(found.worker_ids, ["w-1", "w-2", "w-3"]);
    let kinds: Vec<_> = found.errors.iter().map(|error| error.failure.kind).collect();
    assert_eq!(kinds, [FailureKind::WorkerLost; 3]);
    let reason = &found.errors[2].failure.message;
    assert!(reason.contains("max_lost is 2"), "{reason}");
    assert!(found.finished_at.is_some());
    assert_eq!(store.worker("v").await.claim(10).await.len(), 0);
}

/// `max_lost = 0` makes a task at-most-once.
pub async fn an_at_most_once_task_is_failed_after_one_loss(store: Store) {
    let task = store.enqueue(with_policy(9, 0)).await;
    store.worker("w").await.claim_one().await;
    store.outlive_leases().await;
    let rescued = store.rescue().await;
    assert_eq!((rescued.returned, rescued.failed), (0, 1));
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Failed, 1));
    let reason = &found.errors[0].failure;
    assert_eq!(reason.kind, FailureKind::WorkerLost);
    assert!(reason.message.contains("max_lost = 0"), "{reason}");
}

/// An at-most-once task that was not started has not run, so it does.
pub async fn an_at_most_once_task_that_was_not_started_runs(store: Store) {
    let task = store.enqueue(with_policy(1, 0)).await;
    assert_eq!(store.worker("w").await.claim_starting(1, 0).await.len(), 1);
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 1);
    assert_eq!(store.find(task.id).await, task);
    assert_eq!(store.worker("v").await.claim_one().await.record.id, task.id);
}

/// By batch: tasks at positions below this may have been started.
pub async fn what_was_told_as_started_counts_as_started(store: Store) {
    let tasks = ids(&store.enqueue_all(many(10)).await);
    let worker = store.worker("w").await;
    let first = worker.claim_starting(5, 1).await;
    let second = worker.claim_starting(5, 0).await;
    let (one, two) = (first[0].lease.batch(), second[0].lease.batch());
    worker.start(one, 3).await;
    // Telling less than was told before takes nothing back.
    worker.start(one, 2).await;
    worker.start(two, 1).await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 10);
    let attempts: Vec<_> = store.find_all(&tasks).await;
    let attempts: Vec<_> = attempts.iter().map(|record| record.attempts).collect();
    assert_eq!(attempts, [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]);
}

/// The part of a batch that had ended stays as it is.
pub async fn the_finished_part_of_a_batch_is_not_returned(store: Store) {
    let tasks = ids(&store.enqueue_all(many(5)).await);
    let worker = store.worker("w").await;
    let mut batch = worker.claim(5).await;
    worker
        .finish(vec![
            succeeded(batch.remove(3), "3"),
            failed(batch.remove(1), "on its own"),
        ])
        .await;
    let before = store.find_all(&[tasks[1], tasks[3]]).await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 3);
    assert_eq!(store.find_all(&[tasks[1], tasks[3]]).await, before);
    let claimed = store.worker("v").await.claim(10).await;
    assert_eq!(claimed_ids(&claimed), [tasks[0], tasks[2], tasks[4]]);
}

/// A task that went to a retry while its batch lives is not returned a second time, neither
/// while it waits nor while somebody else runs it.
pub async fn the_retried_part_of_a_batch_is_not_returned(store: Store) {
    let tasks: Vec<_> = (0..3).map(|_| with_policy(5, 3)).collect();
    let tasks = ids(&store.enqueue_all(tasks).await);
    let worker = store.worker("w").await;
    let mut batch = worker.claim(3).await;
    worker
        .finish(vec![
            failed_for_now(batch.remove(0), "soon", Duration::ZERO),
            failed_for_now(batch.remove(0), "later", Duration::from_secs(3600)),
        ])
        .await;
    store.advance(Duration::from_secs(1)).await;
    let other = store.steady_worker("other").await;
    let running = other.claim_one().await;
    assert_eq!(running.record.id, tasks[0]);
    let before = store.find_all(&tasks[..2]).await;
    store.outlive_leases().await;
    let rescued = store.rescue().await;
    assert_eq!((rescued.returned, rescued.failed), (1, 0));
    assert_eq!(store.find_all(&tasks[..2]).await, before);
    let claimed = other.claim(10).await;
    assert_eq!(claimed_ids(&claimed), tasks[2..]);
    other.finish(vec![succeeded(running, "1")]).await;
    assert_eq!(store.find(tasks[0]).await.attempts, 2);
}

/// The part of a batch that was given back is not returned a second time.
pub async fn the_part_of_a_batch_that_was_given_back_is_not_returned(store: Store) {
    let tasks = ids(&store.enqueue_all(many(3)).await);
    let worker = store.worker("w").await;
    let mut batch = worker.claim(3).await;
    worker.give_back(vec![unstarted(batch.remove(1))]).await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 2);
    let claimed = store.worker("v").await.claim(10).await;
    assert_eq!(claimed_ids(&claimed), tasks);
}

/// A loss is not the task's own failure: it has all its attempts still, and waits between
/// them as if nothing had happened.
pub async fn a_loss_is_not_the_tasks_own_failure(store: Store) {
    let task = store.enqueue(with_policy(2, 3)).await;
    store.worker("lost").await.claim_one().await;
    store.outlive_leases().await;
    store.rescue().await;
    let worker = store.worker("w").await;
    let claimed = worker.claim_one().await;
    let policy = claimed.record.policy;
    assert!(policy.after_failure(2, claimed.last_attempt, 7).is_some());
    worker
        .finish(vec![failed_for_now(claimed, "own", Duration::ZERO)])
        .await;
    store.advance(Duration::from_secs(1)).await;
    let claimed = worker.claim_one().await;
    assert_eq!((claimed.record.attempts, claimed.last_attempt), (2, 3));
    assert_eq!(policy.after_failure(3, claimed.last_attempt, 7), None);
    worker.finish(vec![failed(claimed, "own again")]).await;
    assert_eq!(store.find(task.id).await.errors.len(), 3);
}

/// At most `limit` tasks in one call; call again while it returns any: nothing is left behind.
pub async fn many_batches_are_rescued_page_by_page(store: Store) {
    let tasks = ids(&store.enqueue_all(many(90)).await);
    for number in 0..3 {
        let worker = store.worker(&format!("w-{number}")).await;
        for _ in 0..10 {
            assert_eq!(worker.claim(3).await.len(), 3);
        }
    }
    store.outlive_leases().await;
    let (mut workers, mut returned, mut calls) = (0, 0, 0);
    loop {
        let rescued = store.queue().rescue(7).await.expect("rescuing works");
        workers += rescued.workers;
        returned += rescued.returned;
        if rescued.returned == 0 {
            break;
        }
        calls += 1;
    }
    assert_eq!((workers, returned), (3, 90));
    assert!(calls >= 10, "{calls} calls for 90 tasks");
    let claimed = store.worker("v").await.claim_all(50).await;
    assert_eq!(claimed_ids(&claimed), tasks);
}

/// With nobody lost nothing happens.
pub async fn with_nobody_lost_nothing_happens(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    assert_eq!(store.rescue().await, Rescued::default());
    let claimed = worker.claim_one().await;
    assert_eq!(store.rescue().await, Rescued::default());
    let answer = store
        .backend()
        .cancel(task.id, &CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(answer, Cancellation::Requested);
    assert_eq!(store.rescue().await, Rescued::default());
    worker.finish(vec![succeeded(claimed, "1")]).await;
}
