//! Tasks that are not due yet.

use std::time::Duration;

use task_core::{NewTask, RunAfter, TaskStatus, Timestamp};

use crate::Store;
use crate::played_worker::claimed_ids;
use crate::scene::{due_in, ids, new_task};

const MINUTE: Duration = Duration::from_secs(60);

/// A scheduled task waits as `READY` until it is due.
pub async fn a_scheduled_task_is_claimed_once_it_is_due_and_not_before(store: Store) {
    let task = store.enqueue(due_in(10 * MINUTE)).await;
    assert_eq!(task.status, TaskStatus::Ready);
    assert_eq!(task.run_after, Some(task.enqueued_at + 10 * MINUTE));
    let worker = store.steady_worker("w").await;
    for _ in 0..3 {
        assert_eq!(worker.claim(10).await.len(), 0);
        store.advance(3 * MINUTE).await;
    }
    assert_eq!(worker.claim(10).await.len(), 0, "nine minutes are not ten");
    store.advance(MINUTE).await;
    let claimed = worker.claim_one().await;
    assert_eq!(claimed.record, task);
}

/// A moment that has passed means now.
pub async fn a_due_time_in_the_past_means_now(store: Store) {
    let task = NewTask {
        run_after: Some(RunAfter::At(Timestamp::UNIX_EPOCH)),
        ..new_task()
    };
    let task = store.enqueue(task).await;
    assert_eq!(task.run_after, None);
    let first = store.enqueue(new_task()).await;
    // Now, and not 1970: it does not overtake what came a moment before it.
    let before = NewTask {
        run_after: Some(RunAfter::At(Timestamp::UNIX_EPOCH)),
        ..new_task()
    };
    let third = store.enqueue(before).await;
    let claimed = store.steady_worker("w").await.claim(10).await;
    assert_eq!(claimed_ids(&claimed), [task.id, first.id, third.id]);
}

/// When the next scheduled task is due, counted from now.
pub async fn next_due_says_how_long_until_the_next_scheduled_task(store: Store) {
    let worker = store.steady_worker("w").await;
    store.enqueue(due_in(9 * MINUTE)).await;
    store.enqueue(due_in(5 * MINUTE)).await;
    store.enqueue(new_task()).await;
    let within = |next_due: Option<Duration>, expected: Duration| {
        let next_due = next_due.expect("one is scheduled");
        let early = expected - MINUTE / 2;
        assert!(next_due <= expected && next_due > early, "{next_due:?}");
    };
    let claim = worker.try_claim(10).await.expect("the worker lives");
    assert_eq!(claim.tasks.len(), 1);
    within(claim.next_due, 5 * MINUTE);
    store.advance(2 * MINUTE).await;
    let claim = worker.try_claim(10).await.expect("the worker lives");
    within(claim.next_due, 3 * MINUTE);
    store.advance(3 * MINUTE).await;
    let claim = worker.try_claim(10).await.expect("the worker lives");
    assert_eq!(claim.tasks.len(), 1);
    within(claim.next_due, 4 * MINUTE);
}

/// `None` when none is.
pub async fn next_due_is_none_when_none_is_scheduled(store: Store) {
    let worker = store.steady_worker("w").await;
    store.enqueue(new_task()).await;
    let claim = worker.try_claim(10).await.expect("the worker lives");
    assert_eq!((claim.tasks.len(), claim.next_due), (1, None));
    store.enqueue(due_in(MINUTE)).await;
    store.advance(2 * MINUTE).await;
    let claim = worker.try_claim(10).await.expect("the worker lives");
    assert_eq!((claim.tasks.len(), claim.next_due), (1, None));
}

/// A task that is due after ages is kept, can be read, and holds nobody up.
pub async fn a_task_of_the_far_future_is_kept_and_slows_nothing(store: Store) {
    let far = store.enqueue(due_in(Duration::MAX)).await;
    let now = store.enqueue(new_task()).await;
    let worker = store.steady_worker("w").await;
    assert_eq!(worker.claim_one().await.record.id, now.id);
    let found = store.find(far.id).await;
    assert_eq!(found.status, TaskStatus::Ready);
    let due = found.run_after.expect("it is due later");
    assert!(due > now.enqueued_at + Duration::from_secs(1_000 * 365 * 86_400));
}

/// Tasks of one call that are due and such that are not are told apart, wherever they stand.
pub async fn scheduled_and_ready_tasks_of_one_call_are_told_apart(store: Store) {
    let tasks: Vec<NewTask> = (0..200)
        .map(|number| {
            if number % 3 == 0 {
                due_in(MINUTE)
            } else {
                new_task()
            }
        })
        .collect();
    let records = store.enqueue_all(tasks).await;
    let (scheduled, ready): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| record.run_after.is_some());
    assert_eq!((scheduled.len(), ready.len()), (67, 133));
    let worker = store.steady_worker("w").await;
    assert_eq!(claimed_ids(&worker.claim(1_000).await), ids(&ready));
    store.advance(2 * MINUTE).await;
    assert_eq!(claimed_ids(&worker.claim(1_000).await), ids(&scheduled));
}
