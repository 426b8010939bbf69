//! What the caller sees of a task that a worker runs.

use std::time::Duration;

use task_core::{CancelRequest, ErrorKind, TaskResult, TaskStatus};

use crate::Store;
use crate::played_worker::{failed, obeyed, succeeded};
use crate::scene::{PATIENCE, named};
use crate::tasks::echo;

async fn enqueued(store: &Store) -> TaskResult<String> {
    let call = echo::new("x");
    call.enqueue_on(&store.backends()).await.expect("accepted")
}

/// Waits until the task has ended, and returns what it returned.
pub async fn waiting_returns_the_value_once_there_is_one(store: Store) {
    let mut result = enqueued(&store).await;
    let worker = store.worker("w").await;
    let claimed = worker.claim_one().await;
    let waiting = tokio::spawn(async move {
        let value = result.wait(PATIENCE).await;
        (result, value)
    });
    worker.finish(vec![succeeded(claimed, "\"well done\"")]).await;
    let (result, value) = waiting.await.expect("waiting does not panic");
    assert_eq!(value.expect("it was successful"), "well done");
    assert_eq!(result.status(), TaskStatus::Successful);
    assert_eq!(result.return_value().expect("it stays"), "well done");
    assert_eq!((result.attempts, result.worker_ids.len()), (1, 1));
}

/// It ended without a value; the message says why.
pub async fn waiting_for_a_task_that_fails_tells_why(store: Store) {
    let mut result = enqueued(&store).await;
    let worker = store.worker("w").await;
    worker
        .finish(vec![failed(worker.claim_one().await, "no voice")])
        .await;
    let error = result.wait(PATIENCE).await.expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    let text = error.to_string();
    assert!(text.contains("no voice") && text.contains("FAILED"), "{text}");
}

/// It had not ended at the last look.
pub async fn a_running_task_has_no_value_yet(store: Store) {
    let mut result = enqueued(&store).await;
    let worker = store.worker("w").await;
    let claimed = worker.claim_one().await;
    let error = result.wait(Duration::from_millis(10)).await.expect_err("it runs");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("RUNNING"), "{error}");
    let error = result.return_value().expect_err("it runs");
    assert_eq!(error.kind(), ErrorKind::NotFinished);
    worker.finish(vec![succeeded(claimed, "\"x\"")]).await;
    let error = result.return_value().expect_err("no look since");
    assert_eq!(error.kind(), ErrorKind::NotFinished);
    result.refresh().await.expect("it is there");
    assert_eq!(result.return_value().expect("it was successful"), "x");
}

/// The stored value is no `T` (the type changed since).
pub async fn a_value_of_another_type_is_told(store: Store) {
    let mut result = enqueued(&store).await;
    let worker = store.worker("w").await;
    worker
        .finish(vec![succeeded(worker.claim_one().await, "[1, 2]")])
        .await;
    let error = result.wait(PATIENCE).await.expect_err("no text");
    assert_eq!(error.kind(), ErrorKind::Encoding);
    assert!(error.to_string().contains("conformance::echo"), "{error}");
    let backends = store.backends();
    let alias = backends.get("default").expect("the only one");
    let untyped = alias.result(result.id()).await.expect("it is there");
    assert_eq!(
        untyped.return_value().expect("any JSON"),
        serde_json::json!([1, 2])
    );
}

/// A task that was canceled while it ran has no value.
pub async fn a_task_canceled_while_it_ran_has_no_value(store: Store) {
    let mut result = enqueued(&store).await;
    let worker = store.worker("w").await;
    let claimed = worker.claim_one().await;
    store
        .backend()
        .cancel(result.id(), &CancelRequest::default())
        .await
        .expect("it is there");
    worker.finish(vec![obeyed(claimed)]).await;
    let error = result.wait(PATIENCE).await.expect_err("it was canceled");
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    assert!(error.to_string().contains("CANCELED"), "{error}");
    assert!(result.is_finished());
}

/// Value and errors of a task can be read where its function is not known, or no longer.
pub async fn value_and_errors_are_readable_where_the_function_is_not_known(store: Store) {
    let worker = store.worker("w").await;
    let first = store.enqueue(named("elsewhere::second")).await;
    let second = store.enqueue(named("elsewhere::third")).await;
    let mut claimed = worker.claim(2).await;
    worker
        .finish(vec![
            succeeded(claimed.remove(0), "[1, \"two\"]"),
            failed(claimed.remove(0), "no voice"),
        ])
        .await;
    let backends = store.backends();
    let alias = backends.get("default").expect("the only one");
    let ended = alias.result(first.id).await.expect("it is there");
    assert_eq!(
        ended.return_value().expect("it was successful"),
        serde_json::json!([1, "two"])
    );
    let ended = alias.result(second.id).await.expect("it is there");
    let error = ended.return_value().expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    assert_eq!(ended.errors[0].failure.message, "no voice");
    assert_eq!(ended.errors[0].failure.error_type, "app::Trouble");
}
