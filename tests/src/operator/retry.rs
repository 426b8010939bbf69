//! Letting a task run again that had ended badly.

use std::time::{Duration, Instant};

use task_core::{CancelRequest, Cancellation, ErrorKind, TaskId, TaskRecord, TaskStatus, Wake};

use crate::Store;
use crate::played_worker::{failed, failed_for_now, succeeded};
use crate::scene::{PATIENCE, SOON, due_in, many, new_task, with_policy};

impl Store {
    async fn retry(&self, id: TaskId) -> TaskRecord {
        self.admin().retry(id).await.expect("it may run again")
    }

    /// A task that has failed for good after two attempts, the first by `w-1`.
    async fn failed_task(&self) -> TaskRecord {
        let task = self.enqueue(with_policy(2, 3)).await;
        let worker = self.worker("w-1").await;
        let claimed = worker.claim_one().await;
        worker
            .finish(vec![failed_for_now(claimed, "once", Duration::ZERO)])
            .await;
        worker.leave().await;
        self.advance(Duration::from_secs(1)).await;
        let worker = self.worker("w-2").await;
        worker
            .finish(vec![failed(worker.claim_one().await, "twice")])
            .await;
        worker.leave().await;
        self.advance(Duration::from_secs(1)).await;
        self.find(task.id).await
    }
}

/// Its earlier attempts and errors stay in its history.
pub async fn its_earlier_attempts_and_errors_stay_in_its_history(store: Store) {
    let before = store.failed_task().await;
    assert_eq!(before.status, TaskStatus::Failed);
    let answered = store.retry(before.id).await;
    assert!(answered.run_after > before.finished_at, "from now on");
    let expected = TaskRecord {
        status: TaskStatus::Ready,
        finished_at: None,
        run_after: answered.run_after,
        ..before
    };
    assert_eq!(answered, expected);
    assert_eq!(store.find(expected.id).await, expected);

    let worker = store.worker("w-3").await;
    let claimed = worker.claim_one().await;
    assert_eq!(claimed.record.attempts, 2);
    worker.finish(vec![succeeded(claimed, "3")]).await;
    let found = store.find(expected.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Successful, 3));
    assert_eq!(found.worker_ids, ["w-1", "w-2", "w-3"]);
    assert_eq!(found.errors, expected.errors);
    assert_eq!(found.started_at, expected.started_at);
}

/// A task in any other state is [`ErrorKind::State`], and stays as it is.
pub async fn a_task_in_any_other_state_is_refused_and_stays_as_it_is(store: Store) {
    for (status, id) in store.one_of_each_state("q").await {
        if matches!(status, TaskStatus::Failed | TaskStatus::Canceled) {
            continue;
        }
        let before = store.find(id).await;
        let error = store.admin().retry(id).await.expect_err(status.as_str());
        assert_eq!(error.kind(), ErrorKind::State, "{status}");
        assert_eq!(store.find(id).await, before);
    }
}

/// An unknown id is [`ErrorKind::NotFound`].
pub async fn an_unknown_id_is_not_found(store: Store) {
    let error = store
        .admin()
        .retry(TaskId::new())
        .await
        .expect_err("nobody has it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Lets a failed or canceled task run again, now, with as many attempts as it had at first.
pub async fn it_runs_again_now_with_as_many_attempts_as_it_had_at_first(store: Store) {
    let task = store.failed_task().await;
    store.retry(task.id).await;
    let worker = store.worker("w").await;
    for attempt in 3..=4 {
        let claimed = worker.claim_one().await;
        assert_eq!(claimed.record.attempts + 1, attempt);
        assert_eq!(claimed.last_attempt, 4, "two more, as at first");
        let end = if attempt == 3 {
            failed_for_now(claimed, "thrice", Duration::ZERO)
        } else {
            failed(claimed, "four times")
        };
        worker.finish(vec![end]).await;
        store.advance(Duration::from_secs(1)).await;
    }
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.errors.len()), (TaskStatus::Failed, 4));
    // And once more.
    assert_eq!(store.retry(task.id).await.status, TaskStatus::Ready);
    assert_eq!(worker.claim_one().await.last_attempt, 6);
}

/// A task that was canceled before it ran runs as if it had just been enqueued.
pub async fn a_canceled_task_runs_again_too(store: Store) {
    let task = store.enqueue(with_policy(3, 3)).await;
    store
        .backend()
        .cancel(task.id, &CancelRequest::default())
        .await
        .expect("it is there");
    let answered = store.retry(task.id).await;
    let expected = TaskRecord {
        run_after: answered.run_after,
        ..task
    };
    assert_eq!(answered, expected);
    let claimed = store.worker("w").await.claim_one().await;
    assert_eq!((claimed.record.id, claimed.last_attempt), (task.id, 3));
}

/// Lets a failed or canceled task run again, now: whatever its due time was.
pub async fn a_scheduled_task_that_was_canceled_runs_now(store: Store) {
    let task = store.enqueue(due_in(Duration::from_secs(3600))).await;
    store
        .backend()
        .cancel(task.id, &CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(store.retry(task.id).await.status, TaskStatus::Ready);
    assert_eq!(store.worker("w").await.claim_one().await.record.id, task.id);
}

/// A task that was failed for losing too many workers runs again, and its old losses are not
/// held against it.
pub async fn a_task_that_lost_too_many_workers_runs_again(store: Store) {
    let task = store.enqueue(with_policy(1, 0)).await;
    store.worker("lost").await.claim_one().await;
    store.outlive_leases().await;
    assert_eq!(store.rescue().await.failed, 1);
    assert_eq!(store.retry(task.id).await.status, TaskStatus::Ready);
    let worker = store.worker("w").await;
    worker
        .finish(vec![succeeded(worker.claim_one().await, "1")])
        .await;
    let found = store.find(task.id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Successful, 2));
}

/// A task that runs again is something to claim like a new one.
pub async fn it_ends_the_wait_of_workers(store: Store) {
    let task = store.failed_task().await;
    let seen = store.queue().wait(Wake::default(), Duration::ZERO).await;
    store.retry(task.id).await;
    let began = Instant::now();
    store.queue().wait(seen, PATIENCE).await;
    assert!(began.elapsed() < SOON);
}

/// A task that runs again can be canceled again, and let run again after that.
pub async fn it_can_be_canceled_again(store: Store) {
    let task = store.failed_task().await;
    for _ in 0..2 {
        store.retry(task.id).await;
        let answer = store
            .backend()
            .cancel(task.id, &CancelRequest::default())
            .await
            .expect("it is there");
        assert_eq!(answer, Cancellation::Canceled);
        let found = store.find(task.id).await;
        assert_eq!((found.status, found.attempts), (TaskStatus::Canceled, 2));
    }
    assert_eq!(store.worker("w").await.claim(10).await.len(), 0);
}

/// A task that runs again while the batch it failed in goes on belongs to its new batch only.
pub async fn its_old_batch_does_not_return_it(store: Store) {
    let old = store.worker("old").await;
    store.enqueue_all(many(2)).await;
    let mut batch = old.claim(2).await;
    let rest = batch.pop().expect("two");
    let task = rest.record.id;
    let other = batch.pop().expect("two");
    let other_id = other.record.id;
    old.finish(vec![failed(other, "no")]).await;
    store.retry(other_id).await;
    let new = store.steady_worker("new").await;
    let running = new.claim_one().await;
    store.outlive_leases().await;
    let rescued = store.rescue().await;
    assert_eq!((rescued.returned, rescued.failed), (1, 0));
    assert_eq!(new.claim_one().await.record.id, task);
    new.finish(vec![succeeded(running, "1")]).await;
    let found = store.find(other_id).await;
    assert_eq!((found.status, found.attempts), (TaskStatus::Successful, 2));
    store.enqueue(new_task()).await;
    drop(rest);
}
