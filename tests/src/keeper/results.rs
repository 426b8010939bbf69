//! Results that are looked up again.

use std::time::Duration;

use task_core::{CancelRequest, ErrorKind, Task as _, TaskId, TaskStatus, get_result_on};

use crate::Store;
use crate::scene::{PATIENCE, named, new_task};
use crate::tasks::{add, echo, renamed};

/// The result of a task is found again by its id, with the type of its value.
pub async fn a_result_is_found_again_with_its_type(store: Store) {
    let backends = store.backends();
    let result = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let again = get_result_on::<echo>(result.id(), &backends).await;
    assert_eq!(again.expect("it is there"), result);
}

/// The id belongs to another task; the message names it.
pub async fn the_id_of_another_task_is_a_mismatch_that_names_it(store: Store) {
    let backends = store.backends();
    let result = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let error = get_result_on::<add>(result.id(), &backends).await;
    let error = error.expect_err("another task's");
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    let text = error.to_string();
    assert!(
        text.contains(echo::ENTRY.name()) && text.contains(add::ENTRY.name()),
        "{text}"
    );
}

/// No such task.
pub async fn an_id_that_nobody_has_is_not_found(store: Store) {
    let id = TaskId::new();
    let error = get_result_on::<echo>(id, &store.backends()).await;
    let error = error.expect_err("nobody has it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&id.to_string()), "{error}");
}

/// A task that was queued under an old name is found by the task that has it as an alias.
pub async fn a_task_queued_under_an_old_name_is_found_by_its_new_one(store: Store) {
    let record = store.enqueue(named("conformance::formerly")).await;
    let result = get_result_on::<renamed>(record.id, &store.backends()).await;
    let result = result.expect("an alias is as good as the name");
    assert_eq!(&*result.name, "conformance::formerly");
    let error = get_result_on::<echo>(record.id, &store.backends()).await;
    assert_eq!(error.expect_err("not its alias").kind(), ErrorKind::Mismatch);
}

/// A result whose type is not known has its arguments and value as JSON.
pub async fn a_result_without_a_type_reads_its_value_as_json(store: Store) {
    let backends = store.backends();
    let result = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let alias = backends.get("default").expect("the only one");
    let untyped = alias.result(result.id()).await.expect("it is there");
    assert_eq!(
        untyped.arguments().expect("JSON"),
        serde_json::json!({ "text": "x" })
    );
    assert_eq!(untyped.record(), result.record());
    let error = untyped.return_value().expect_err("it has not run");
    assert_eq!(error.kind(), ErrorKind::NotFinished);
    let error = alias.result(TaskId::new()).await.expect_err("nobody has it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Refreshing a result of a task that did not change changes nothing.
pub async fn refreshing_what_did_not_change_changes_nothing(store: Store) {
    let mut result = echo::new("x")
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    let before = result.clone();
    result.refresh().await.expect("it is there");
    assert_eq!(result, before);
}

/// A result is a snapshot: refreshing shows what changed, copies stay as they were.
pub async fn refreshing_shows_what_changed_and_copies_stay_as_they_were(store: Store) {
    let mut result = echo::new("x")
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    let copy = result.clone();
    store
        .backend()
        .cancel(result.id(), &CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(result.status(), TaskStatus::Ready, "it does not change by itself");
    result.refresh().await.expect("it is there");
    assert_eq!(result.status(), TaskStatus::Canceled);
    assert_eq!(copy.status(), TaskStatus::Ready);
    assert_ne!(result, copy);
}

/// A task that had not ended in time is left to itself, and the caller is told.
pub async fn waiting_for_a_task_that_nobody_runs_times_out(store: Store) {
    let mut result = echo::new("x")
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        let error = result.wait(timeout).await.expect_err("nobody runs it");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("READY"), "{error}");
    }
    assert_eq!(store.find(result.id()).await.status, TaskStatus::Ready);
}

/// Waiting ends when the task does, long before its timeout.
pub async fn waiting_ends_when_the_task_does(store: Store) {
    let mut result = echo::new("x")
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    let id = result.id();
    let waiting = tokio::spawn(async move { result.wait(2 * PATIENCE).await });
    store
        .backend()
        .cancel(id, &CancelRequest::default())
        .await
        .expect("it is there");
    let ended = tokio::time::timeout(PATIENCE, waiting).await;
    let error = ended.expect("long before the timeout").expect("no panic");
    assert_eq!(error.expect_err("it was canceled").kind(), ErrorKind::TaskFailed);
}

/// A task that was canceled before it ran has no value, and says why.
pub async fn a_task_canceled_before_it_ran_has_no_value_and_says_so(store: Store) {
    let record = store.enqueue(new_task()).await;
    store
        .backend()
        .cancel(record.id, &CancelRequest::default())
        .await
        .expect("it is there");
    let result = get_result_on::<echo>(record.id, &store.backends()).await;
    let result = result.expect("it is there");
    assert!(result.is_finished());
    let error = result.return_value().expect_err("it never ran");
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    let text = error.to_string();
    assert!(
        text.contains("CANCELED") && text.contains("before it ran"),
        "{text}"
    );
}

/// A result can be read where the function of its task is not known, or no longer: name,
/// arguments and status. Only a typed look-up needs the task.
pub async fn a_result_is_readable_where_its_function_is_not_known(store: Store) {
    let record = store.enqueue(named("elsewhere::gone")).await;
    let backends = store.backends();
    let alias = backends.get("default").expect("the only one");
    let mut result = alias.result(record.id).await.expect("it is there");
    assert_eq!(&*result.name, "elsewhere::gone");
    assert_eq!(
        result.arguments().expect("JSON"),
        serde_json::json!({ "text": "hello" })
    );
    assert_eq!(result.status(), TaskStatus::Ready);
    result.refresh().await.expect("it is there");
    assert_eq!(result.record(), &record);
    let error = get_result_on::<echo>(record.id, &backends).await;
    assert_eq!(error.expect_err("another task's").kind(), ErrorKind::Mismatch);
}
