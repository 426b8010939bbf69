//! Asking for a task to end that nobody runs.

use std::time::Duration;

use task_core::{CancelRequest, Cancellation, ErrorKind, TaskId, TaskStatus};

use crate::Store;
use crate::scene::{due_in, new_task};

/// A waiting task is `CANCELED` at once and is never run.
pub async fn a_waiting_task_is_canceled_at_once(store: Store) {
    let record = store.enqueue(new_task()).await;
    let answer = store
        .backend()
        .cancel(record.id, &CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(answer, Cancellation::Canceled);
    let found = store.find(record.id).await;
    assert_eq!(found.status, TaskStatus::Canceled);
    assert!(found.finished_at.expect("it has ended") >= record.enqueued_at);
    assert_eq!((found.attempts, found.started_at), (0, None));
    assert_eq!((found.errors.len(), found.worker_ids.len()), (0, 0));
    assert_eq!(found.return_value, None);
}

/// A waiting task is `CANCELED` at once and is never run: also one that is not due yet.
pub async fn a_scheduled_task_is_canceled_at_once(store: Store) {
    if !store.backend().capabilities().defer {
        return store.assert_due_times_are_refused().await;
    }
    let record = store.enqueue(due_in(Duration::from_secs(3600))).await;
    let answer = store
        .backend()
        .cancel(record.id, &CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(answer, Cancellation::Canceled);
    assert_eq!(store.find(record.id).await.status, TaskStatus::Canceled);
}

/// A finished one stays as it is.
pub async fn a_finished_task_stays_as_it_is(store: Store) {
    let record = store.enqueue(new_task()).await;
    store
        .backend()
        .cancel(record.id, &CancelRequest::default())
        .await
        .expect("it is there");
    let ended = store.find(record.id).await;
    let answer = store
        .backend()
        .cancel(record.id, &CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(answer, Cancellation::AlreadyFinished);
    assert_eq!(store.find(record.id).await, ended);
}

/// An unknown id is [`ErrorKind::NotFound`].
pub async fn an_unknown_id_is_not_found(store: Store) {
    let error = store
        .backend()
        .cancel(TaskId::new(), &CancelRequest::default())
        .await
        .expect_err("nobody has it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Of many who cancel one task at a time, one does and the others come too late.
pub async fn of_many_who_cancel_at_a_time_one_does(store: Store) {
    let record = store.enqueue(new_task()).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let backend = store.backend().clone();
        callers.spawn(async move {
            backend
                .cancel(record.id, &CancelRequest::default())
                .await
                .expect("it is there")
        });
    }
    let mut answers = callers.join_all().await;
    answers.sort_by_key(|answer| *answer != Cancellation::Canceled);
    assert_eq!(answers[0], Cancellation::Canceled);
    assert_eq!(answers[1..], [Cancellation::AlreadyFinished; 7]);
}
