//! Asking for a task to end that a worker may be running.

use std::time::Duration;

use task_core::{CancelRequest, Cancellation, TaskStatus};

use crate::Store;
use crate::played_worker::{claimed_ids, failed, failed_for_now, interrupted, obeyed, succeeded, unstarted};
use crate::scene::{due_in, ids, many, new_task, stopped, with_policy};

impl Store {
    async fn cancel_by(&self, id: task_core::TaskId, request: &CancelRequest) {
        self.backend()
            .cancel(id, request)
            .await
            .expect("the task is there");
    }

    pub(crate) async fn cancel(&self, id: task_core::TaskId) -> Cancellation {
        self.backend()
            .cancel(id, &CancelRequest::default())
            .await
            .expect("the task is there")
    }
}

/// A waiting task is `CANCELED` at once and is never run.
pub async fn a_waiting_task_that_was_canceled_is_never_run(store: Store) {
    let mut tasks = ids(&store.enqueue_all(many(3)).await);
    let scheduled = store.enqueue(due_in(Duration::from_secs(60))).await.id;
    tasks.push(scheduled);
    for id in [tasks[1], scheduled] {
        assert_eq!(store.cancel(id).await, Cancellation::Canceled);
    }
    store.advance(Duration::from_secs(120)).await;
    let worker = store.worker("w").await;
    let claim = worker.try_claim(10).await.expect("the worker lives");
    assert_eq!(claimed_ids(&claim.tasks), [tasks[0], tasks[2]]);
    assert_eq!(claim.next_due, None);
}

/// A running one is asked to stop; it ends `CANCELED`, unless it returned a value first.
pub async fn a_running_one_is_asked_to_stop_and_ends_canceled(store: Store) {
    let worker = store.worker("w").await;
    let tasks = ids(&store.enqueue_all(many(2)).await);
    let mut claimed = worker.claim(2).await;
    assert_eq!(worker.asked_to_stop().await, []);
    assert_eq!(store.cancel(tasks[1]).await, Cancellation::Requested);
    let found = store.find(tasks[1]).await;
    assert_eq!(found.status, TaskStatus::Running, "it has not ended yet");
    assert_eq!(worker.asked_to_stop().await, [tasks[1]]);
    worker
        .finish(vec![
            obeyed(claimed.pop().expect("two")),
            succeeded(claimed.pop().expect("two"), "1"),
        ])
        .await;
    let found = store.find(tasks[1]).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Canceled, 1));
    assert_eq!(found.errors.len(), 1);
    assert_eq!(found.worker_ids, ["w"]);
    assert_eq!(store.find(tasks[0]).await.status, TaskStatus::Successful);
    assert_eq!(worker.asked_to_stop().await, [], "it has ended");
}

/// A running one is asked to stop; it ends `CANCELED`, unless it returned a value first.
pub async fn a_value_that_was_returned_first_counts(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    let claimed = worker.claim_one().await;
    assert_eq!(store.cancel(task.id).await, Cancellation::Requested);
    worker.finish(vec![succeeded(claimed, "\"done\"")]).await;
    let found = store.find(task.id).await;
    assert_eq!(found.status, TaskStatus::Successful);
    assert_eq!(found.return_value.as_deref(), Some("\"done\""));
    assert_eq!(worker.asked_to_stop().await, []);
}

/// A task that somebody wants to end and that fails meanwhile is not tried again.
pub async fn a_canceled_task_that_fails_for_now_is_not_tried_again(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(with_policy(5, 3)).await;
    let claimed = worker.claim_one().await;
    store.cancel(task.id).await;
    worker
        .finish(vec![failed_for_now(claimed, "by itself", Duration::ZERO)])
        .await;
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Canceled, 1));
    assert_eq!(found.errors[0].failure.message, "by itself");
    store.advance(Duration::from_secs(20)).await;
    assert_eq!(worker.claim(10).await.len(), 0);
    assert_eq!(worker.asked_to_stop().await, []);
}

/// A running one is asked to stop; it ends `CANCELED`, unless it returned a value first:
/// also when its own last failure came first.
pub async fn a_canceled_task_that_fails_for_good_ends_canceled(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    let claimed = worker.claim_one().await;
    store.cancel(task.id).await;
    worker.finish(vec![failed(claimed, "by itself")]).await;
    let found = store.find(task.id).await;
    assert_eq!(found.status, TaskStatus::Canceled);
    assert_eq!(found.errors[0].failure.message, "by itself", "and says so");
    assert_eq!(worker.asked_to_stop().await, []);
}

/// A task that somebody wants to end does not run again when its worker is lost.
pub async fn a_canceled_task_of_a_lost_worker_ends_canceled(store: Store) {
    let tasks = ids(&store.enqueue_all(many(3)).await);
    let worker = store.worker("w").await;
    // The second one was claimed and never started.
    assert_eq!(worker.claim_starting(3, 1).await.len(), 3);
    store.cancel(tasks[0]).await;
    store.cancel(tasks[1]).await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 1, "only the third one waits again");
    let [started, unstarted] = [store.find(tasks[0]).await, store.find(tasks[1]).await];
    assert_eq!((started.status, started.attempts), (TaskStatus::Canceled, 1));
    assert_eq!(started.errors.len(), 1);
    assert_eq!((unstarted.status, unstarted.attempts), (TaskStatus::Canceled, 0));
    assert_eq!(unstarted.errors, []);
    let other = store.worker("v").await;
    assert_eq!(claimed_ids(&other.claim(10).await), tasks[2..]);
    assert_eq!(other.asked_to_stop().await, []);
}

/// A task that somebody wants to end does not run again when its worker gives it back.
pub async fn a_canceled_task_that_is_given_back_ends_canceled(store: Store) {
    let tasks = ids(&store.enqueue_all(many(2)).await);
    let worker = store.worker("w").await;
    let mut claimed = worker.claim(2).await;
    for id in &tasks {
        assert_eq!(store.cancel(*id).await, Cancellation::Requested);
    }
    let started = interrupted(claimed.pop().expect("two"), stopped());
    worker
        .give_back(vec![started, unstarted(claimed.pop().expect("two"))])
        .await;
    for (id, attempts) in tasks.iter().zip([0, 1]) {
        let found = store.find(*id).await;
        assert_eq!((found.status, found.attempts), (TaskStatus::Canceled, attempts));
        assert!(found.finished_at.is_some());
    }
    assert_eq!(worker.claim(10).await.len(), 0);
}

/// Tasks of this worker that somebody wants to end.
pub async fn a_worker_is_asked_about_its_own_tasks_only(store: Store) {
    let (one, two) = (store.worker("one").await, store.worker("two").await);
    let tasks = ids(&store.enqueue_all(many(4)).await);
    let first = one.claim(2).await;
    let second = two.claim(2).await;
    store.cancel(tasks[0]).await;
    store.cancel(tasks[3]).await;
    assert_eq!(one.asked_to_stop().await, [tasks[0]]);
    assert_eq!(two.asked_to_stop().await, [tasks[3]]);
    drop((first, second));
}

/// A request to cancel is repeated with every heartbeat until the task has ended, however
/// often it is made.
pub async fn a_request_to_cancel_stands_until_the_task_has_ended(store: Store) {
    let worker = store.worker("w").await;
    let task = store.enqueue(new_task()).await;
    let claimed = worker.claim_one().await;
    for _ in 0..3 {
        assert_eq!(store.cancel(task.id).await, Cancellation::Requested);
        assert_eq!(worker.asked_to_stop().await, [task.id]);
        assert_eq!(worker.asked_to_stop().await, [task.id]);
    }
    worker.finish(vec![obeyed(claimed)]).await;
    assert_eq!(store.cancel(task.id).await, Cancellation::AlreadyFinished);
    assert_eq!(worker.asked_to_stop().await, []);
}

/// A finished one stays as it is.
pub async fn a_finished_one_stays_as_it_is_however_it_ended(store: Store) {
    let worker = store.worker("w").await;
    let tasks = ids(&store.enqueue_all(many(3)).await);
    let mut claimed = worker.claim(3).await;
    worker
        .finish(vec![
            obeyed(claimed.pop().expect("three")),
            failed(claimed.pop().expect("three"), "no"),
            succeeded(claimed.pop().expect("three"), "1"),
        ])
        .await;
    let before = store.find_all(&tasks).await;
    for id in &tasks {
        assert_eq!(store.cancel(*id).await, Cancellation::AlreadyFinished);
    }
    assert_eq!(store.find_all(&tasks).await, before);
    let statuses: Vec<_> = before.iter().map(|record| record.status).collect();
    assert_eq!(
        statuses,
        [TaskStatus::Successful, TaskStatus::Failed, TaskStatus::Canceled]
    );
}

/// Who asked first, and why, is in the record of the task that was canceled.
pub async fn who_asked_first_and_why_is_in_the_record(store: Store) {
    let worker = store.worker("w").await;
    let first = CancelRequest::default()
        .by("ada@host")
        .because("it was \"wrong\"");
    let second = CancelRequest::default().by("bob");
    let [running, waiting, unwilling, retried] = [0, 1, 2, 3].map(|_| new_task());
    let running = store.enqueue(running).await.id;
    let unwilling = store.enqueue(unwilling).await.id;
    let [claimed, other]: [_; 2] = worker.claim(2).await.try_into().expect("both");
    let waiting = store.enqueue(waiting).await.id;
    let retried = store.enqueue(retried).await.id;
    for id in [running, waiting, unwilling, retried] {
        store.cancel_by(id, &first).await;
        store.cancel_by(id, &second).await;
    }
    worker.finish(vec![obeyed(claimed), succeeded(other, "1")]).await;
    for id in [running, waiting] {
        let found = store.find(id).await;
        assert_eq!(found.status, TaskStatus::Canceled);
        assert_eq!(found.cancel_request.as_ref(), Some(&first));
    }
    assert_eq!(
        store.find(unwilling).await.cancel_request,
        None,
        "it returned a value first"
    );
    // One that runs again was not canceled.
    store.admin().retry(retried).await.expect("it was canceled");
    assert_eq!(store.find(retried).await.cancel_request, None);
    store.cancel_by(retried, &second).await;
    assert_eq!(store.find(retried).await.cancel_request, Some(second));
}
