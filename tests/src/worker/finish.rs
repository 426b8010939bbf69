//! Telling how attempts ended.

use std::sync::Arc;
use std::time::Duration;

use task_core::{ErrorKind, Progress, Renewal, TaskResult, TaskStatus};

use crate::Store;
use crate::played_worker::{claimed_ids, failed, failed_for_now, obeyed, succeeded};
use crate::producer::enqueue::ODD_TEXTS;
use crate::scene::{failure, ids, many, new_task, with_policy};

/// When it returns, the end is stored and can be read at once.
pub async fn the_end_of_an_attempt_is_there_when_it_returns(store: Store) {
    let worker = store.worker("w").await;
    store.enqueue_all(many(3)).await;
    for _ in 0..3 {
        let mut claimed = worker.claim(1).await;
        let claimed = claimed.pop().expect("three are there");
        let id = claimed.record.id;
        worker.finish(vec![succeeded(claimed, "1")]).await;
        assert_eq!(store.find(id).await.status, TaskStatus::Successful);
    }
}

/// A task whose lease is no longer valid is refused, and nothing is written for it.
pub async fn a_task_whose_lease_is_no_longer_valid_is_refused_and_nothing_is_written_for_it(store: Store) {
    let slow = store.worker("slow").await;
    store
        .enqueue_all((0..4).map(|_| with_policy(3, 3)).collect())
        .await;
    let late = slow.claim(4).await;
    let tasks = claimed_ids(&late);
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 4);

    let other = store.worker("other").await;
    let taken = other.claim(2).await;
    let before = store.find_all(&tasks).await;
    let ways = [
        |task| succeeded(task, "\"late\""),
        |task| failed(task, "late"),
        |task| failed_for_now(task, "late", Duration::ZERO),
        obeyed,
    ];
    let ends = late.into_iter().zip(ways).map(|(task, end)| end(task)).collect();
    assert_eq!(slow.tell(ends).await, tasks, "every one is refused, by name");
    assert_eq!(
        store.find_all(&tasks).await,
        before,
        "running ones and waiting ones"
    );

    other
        .finish(
            taken
                .into_iter()
                .map(|task| succeeded(task, "\"in time\""))
                .collect(),
        )
        .await;
    let value = store.find(tasks[0]).await.return_value;
    assert_eq!(value.as_deref(), Some("\"in time\""));
}

/// A task with a retry is `READY` again and due after the given time.
pub async fn a_task_with_a_retry_is_ready_again_and_due_after_the_given_time(store: Store) {
    let worker = store.steady_worker("w").await;
    let task = store.enqueue(with_policy(2, 3)).await;
    let claimed = worker.claim_one().await;
    worker
        .finish(vec![failed_for_now(claimed, "not now", Duration::from_secs(60))])
        .await;
    let found = store.find(task.id).await;
    assert_eq!(found.status, TaskStatus::Ready);
    assert_eq!((found.attempts, found.finished_at), (1, None));
    let claim = worker.try_claim(10).await.expect("the worker lives");
    assert_eq!(claim.tasks.len(), 0, "not due yet");
    let next_due = claim.next_due.expect("it waits");
    assert!(
        next_due > Duration::from_secs(30) && next_due <= Duration::from_secs(61),
        "{next_due:?}"
    );
    store.advance(Duration::from_secs(61)).await;
    assert_eq!(worker.claim_one().await.record.id, task.id);
}

/// Every attempt that failed is kept with its failure.
pub async fn every_attempt_that_failed_is_kept_with_its_failure(store: Store) {
    let task = store.enqueue(with_policy(3, 3)).await;
    let mut expected = Vec::new();
    for attempt in 1..=3_u32 {
        let worker = store.worker(&format!("w-{attempt}")).await;
        let claimed = worker.claim_one().await;
        let (id, at) = (format!("w-{attempt}"), claimed.claimed_at);
        let message = format!("failure {attempt}");
        expected.push((attempt, id, at, message.clone()));
        let end = if attempt < 3 {
            failed_for_now(claimed, &message, Duration::ZERO)
        } else {
            failed(claimed, &message)
        };
        worker.finish(vec![end]).await;
        store.advance(Duration::from_secs(1)).await;
    }
    let errors = store.find(task.id).await.errors;
    assert_eq!(errors.len(), 3);
    for (error, (attempt, worker_id, claimed_at, message)) in errors.iter().zip(expected) {
        assert_eq!((error.attempt, &error.worker_id), (attempt, &worker_id));
        assert_eq!(error.failure, failure(&message));
        assert_eq!(error.started_at, claimed_at + Duration::from_millis(1));
        assert_eq!(error.ended_at, claimed_at + Duration::from_millis(3));
    }
}

/// A value ends a task `SUCCESSFUL`, and everything about it can be read.
pub async fn a_value_ends_it_successful(store: Store) {
    let worker = store.worker("the worker").await;
    let task = store.enqueue(new_task()).await;
    let claimed = worker.claim_one().await;
    let at = claimed.claimed_at;
    worker.finish(vec![succeeded(claimed, "{\"n\": [1, 2]}")]).await;
    let found = store.find(task.id).await;
    assert_eq!(found.status, TaskStatus::Successful);
    assert_eq!(
        found.return_value.as_deref(),
        Some("{\"n\": [1, 2]}"),
        "to the byte"
    );
    assert_eq!((found.attempts, found.errors.len()), (1, 0));
    assert_eq!(found.worker_ids, ["the worker"]);
    assert_eq!(found.started_at, Some(at + Duration::from_millis(1)));
    assert_eq!(found.last_attempted_at, found.started_at);
    assert_eq!(found.finished_at, Some(at + Duration::from_millis(3)));
    assert!(found.enqueued_at <= at);
}

/// `null` is a value like any other.
pub async fn null_is_a_value(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    worker
        .finish(vec![succeeded(worker.claim_one().await, "null")])
        .await;
    let found = store.find(task.id).await;
    assert_eq!(found.status, TaskStatus::Successful);
    assert_eq!(found.return_value.as_deref(), Some("null"));
    let backends = store.backends();
    let alias = backends.get("default").expect("the only one").clone();
    let result: TaskResult<Option<u32>> = TaskResult::new(found, alias);
    assert_eq!(result.return_value().expect("it was successful"), None);
}

/// A failure ends a task `FAILED`; it has no value, and says why.
pub async fn a_failure_ends_it_failed(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    let claimed = worker.claim_one().await;
    let at = claimed.claimed_at;
    worker.finish(vec![failed(claimed, "no voice")]).await;
    let found = store.find(task.id).await;
    assert_eq!(found.status, TaskStatus::Failed);
    assert_eq!((found.attempts, found.return_value.as_deref()), (1, None));
    assert_eq!(found.worker_ids, ["w"]);
    assert_eq!(found.started_at, Some(at + Duration::from_millis(1)));
    assert_eq!(found.finished_at, Some(at + Duration::from_millis(3)));
    let backends = store.backends();
    let alias = backends.get("default").expect("the only one");
    let result = alias.result(task.id).await.expect("it is there");
    let error = result.return_value().expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    assert!(error.to_string().contains("no voice"), "{error}");
    assert_eq!(worker.claim(10).await.len(), 0, "it does not run again");
}

/// Of one call the valid leases count and the others are named.
pub async fn valid_and_refused_leases_in_one_call_are_told_apart(store: Store) {
    let worker = store.worker("w").await;
    store.enqueue_all(many(2)).await;
    let mut late = worker.claim(1).await;
    store.outlive_leases().await;
    store.rescue().await;
    let worker = store.worker("w").await;
    let valid = worker.claim(2).await;
    let (late, valid_ids) = (late.pop().expect("one was claimed"), claimed_ids(&valid));
    let late_id = late.record.id;
    let mut ends: Vec<_> = valid
        .into_iter()
        .map(|task| succeeded(task, "\"valid\""))
        .collect();
    ends.insert(1, succeeded(late, "\"late\""));
    assert_eq!(worker.tell(ends).await, [late_id]);
    for id in valid_ids {
        let value = store.find(id).await.return_value;
        assert_eq!(value.as_deref(), Some("\"valid\""));
    }
}

/// The ends of several batches fit in one call, and what is left of each goes on.
pub async fn the_ends_of_several_batches_fit_in_one_call(store: Store) {
    let worker = store.worker("w").await;
    store.enqueue_all(many(9)).await;
    let mut halves = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut batch = worker.claim(3).await;
        halves.1.push(batch.remove(1));
        halves.0.extend(batch);
    }
    let (now, later) = halves;
    let now_ids = claimed_ids(&now);
    worker
        .finish(now.into_iter().map(|task| succeeded(task, "1")).collect())
        .await;
    for id in now_ids {
        assert_eq!(store.find(id).await.status, TaskStatus::Successful);
    }
    for id in claimed_ids(&later) {
        assert_eq!(store.find(id).await.status, TaskStatus::Running);
    }
    worker
        .finish(later.into_iter().map(|task| succeeded(task, "2")).collect())
        .await;
}

/// A worker that finishes and claims at the same time gets both, whatever the store makes
/// of it.
pub async fn finishing_and_claiming_at_the_same_time_do_both(store: Store) {
    let worker = store.worker("w").await;
    let tasks = ids(&store.enqueue_all(many(40)).await);
    let mut claimed = worker.claim(3).await;
    let mut seen = Vec::new();
    while !claimed.is_empty() {
        seen.extend(claimed_ids(&claimed));
        let ends = claimed.into_iter().map(|task| succeeded(task, "1"));
        let (refused, next) = tokio::join!(worker.tell(ends.collect()), worker.claim(3));
        assert_eq!(refused, []);
        claimed = next;
    }
    assert_eq!(seen, tasks);
    for id in tasks {
        assert_eq!(store.find(id).await.status, TaskStatus::Successful);
    }
}

/// What one worker may not do spoils nothing for another that comes at the same time.
pub async fn the_mistake_of_one_worker_is_not_anothers(store: Store) {
    let (left, alive) = (store.worker("left").await, store.worker("alive").await);
    left.leave().await;
    for _ in 0..10 {
        let task = store.enqueue(new_task()).await;
        let claimed = alive.claim_one().await;
        let end = vec![succeeded(claimed, "1")];
        let (refused, error, again) = tokio::join!(alive.tell(end), left.try_claim(1), alive.renew());
        assert_eq!(refused, []);
        assert_eq!(error.expect_err("it left").kind(), ErrorKind::State);
        assert!(matches!(again, Renewal::Renewed { .. }));
        assert_eq!(store.find(task.id).await.status, TaskStatus::Successful);
    }
}

/// With nothing to tell nothing happens.
pub async fn with_nothing_to_tell_nothing_happens(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    let refused = worker.queue().finish(Progress::default().into()).await;
    assert_eq!(refused.expect("nothing can be wrong with it"), []);
    assert_eq!(store.find(task.id).await, task);
}

/// A thousand ends of every kind fit in one call.
pub async fn a_thousand_ends_fit_in_one_call(store: Store) {
    let worker = store.worker("w").await;
    store.enqueue_all(many(1_000)).await;
    let claimed = worker.claim(1_000).await;
    let tasks = claimed_ids(&claimed);
    let ends = claimed
        .into_iter()
        .enumerate()
        .map(|(number, task)| match number % 4 {
            0 => succeeded(task, &number.to_string()),
            1 => failed(task, "failed"),
            2 => failed_for_now(task, "failed for now", Duration::ZERO),
            _ => obeyed(task),
        });
    worker.finish(ends.collect()).await;
    for (number, id) in tasks.iter().enumerate().skip(1).step_by(111) {
        let found = store.find(*id).await;
        let expected = [
            TaskStatus::Successful,
            TaskStatus::Failed,
            TaskStatus::Ready,
            TaskStatus::Canceled,
        ];
        assert_eq!(found.status, expected[number % 4], "{number}");
    }
    store.advance(Duration::from_secs(1)).await;
    assert_eq!(worker.claim_all(90).await.len(), 250, "those that run again");
}

/// Text of any kind comes back as it was told, in values and in failures.
pub async fn text_of_any_kind_comes_back_in_values_and_failures(store: Store) {
    let worker = store.worker("w").await;
    for text in ODD_TEXTS {
        store.enqueue_all(many(2)).await;
        let mut claimed = worker.claim(2).await;
        let tasks = claimed_ids(&claimed);
        let json = serde_json::to_string(text).expect("a text is JSON");
        let good = claimed.remove(0);
        let bad = claimed.remove(0);
        worker
            .finish(vec![succeeded(good, &json), failed(bad, text)])
            .await;
        assert_eq!(store.find(tasks[0]).await.return_value, Some(json));
        let errors = store.find(tasks[1]).await.errors;
        assert_eq!(errors[0].failure, failure(text));
    }
}

/// A value of 900 kilobytes comes back whole.
pub async fn a_value_of_900_kilobytes_comes_back_whole(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    let json = format!("\"{}\"", "\u{e9}".repeat(450_000));
    worker
        .finish(vec![succeeded(worker.claim_one().await, &json)])
        .await;
    let found = store.find(task.id).await.return_value.expect("a value");
    assert!(found == json, "not the same text");
}

/// Durable when it returns. After an error the same progress may be handed in again: also when
/// it had been written and only the answer was lost. That changes nothing, neither for the
/// task nor for the rest of its batch.
pub async fn the_same_progress_handed_in_again_changes_nothing(store: Store) {
    let worker = store.worker("w").await;
    let tasks = (0..4).map(|_| with_policy(2, 3)).collect();
    let tasks = ids(&store.enqueue_all(tasks).await);
    let mut batch = worker.claim(4).await;
    let held = batch.pop().expect("four");
    let ways = [
        |task| succeeded(task, "\"said once\""),
        |task| failed(task, "said once"),
        |task| failed_for_now(task, "said once", Duration::ZERO),
    ];
    let progress = Arc::new(Progress::new(
        batch.into_iter().zip(ways).map(|(task, end)| end(task)).collect(),
        vec![(held.lease.batch(), 4)],
    ));
    let told = worker.queue().finish(progress.clone()).await;
    assert_eq!(told.expect("the store takes what it is told"), []);
    let before = store.find_all(&tasks).await;
    for _ in 0..2 {
        let again = worker.queue().finish(progress.clone()).await;
        again.expect("the store takes what it is told again");
        assert_eq!(store.find_all(&tasks).await, before);
    }
    // The fourth task is still held, and comes back when its worker is lost.
    assert_eq!(before[3].status, TaskStatus::Running);
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 1);
    let claimed = store.worker("v").await.claim(10).await;
    assert_eq!(claimed_ids(&claimed), [held.record.id, tasks[2]]);
}

/// The same, when the task that runs again was claimed by somebody else meanwhile: nothing of
/// that attempt is disturbed.
pub async fn progress_handed_in_late_leaves_the_next_attempt_alone(store: Store) {
    let worker = store.worker("w").await;
    let tasks = (0..2).map(|_| with_policy(3, 3)).collect();
    let tasks = ids(&store.enqueue_all(tasks).await);
    let mut batch = worker.claim(2).await;
    let held = batch.pop().expect("two");
    let end = failed_for_now(batch.pop().expect("two"), "once", Duration::ZERO);
    let progress = Arc::new(Progress::new(vec![end], Vec::new()));
    let told = worker.queue().finish(progress.clone()).await;
    assert_eq!(told.expect("the store takes what it is told"), []);
    store.advance(Duration::from_secs(1)).await;
    let other = store.worker("other").await;
    let running = other.claim_one().await;
    assert_eq!(running.record.id, tasks[0]);
    let before = store.find(tasks[0]).await;
    let again = worker.queue().finish(progress).await;
    again.expect("the store takes what it is told again");
    assert_eq!(store.find(tasks[0]).await, before, "it runs, and once");
    assert_eq!(other.claim(10).await.len(), 0);
    other.finish(vec![succeeded(running, "1")]).await;
    worker.finish(vec![succeeded(held, "1")]).await;
    for record in store.find_all(&tasks).await {
        assert_eq!(record.status, TaskStatus::Successful);
    }
}
