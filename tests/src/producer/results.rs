//! What the caller holds after enqueueing.

use task_core::{ErrorKind, TaskStatus};

use crate::Store;
use crate::tasks::{echo, nothing, refuse};

/// A result has everything its record has.
pub async fn a_result_reads_like_its_record(store: Store) {
    let result = echo::new("x")
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    assert_eq!(result.id(), result.record().id);
    assert_eq!(result.status(), result.record().status);
    assert_eq!(&*result.name, "conformance::echo");
    assert_eq!(result.backend(), "default");
    assert_eq!(
        result.arguments().expect("JSON"),
        serde_json::json!({ "text": "x" })
    );
    assert_eq!(result.is_finished(), result.status() != TaskStatus::Ready);
}

/// A task that waits has no value yet, one that was successful has one, one that failed
/// says why.
pub async fn a_result_has_a_value_exactly_when_the_task_was_successful(store: Store) {
    let backends = store.backends();
    let said = echo::new("hello").enqueue_on(&backends).await.expect("accepted");
    let silent = nothing::new().enqueue_on(&backends).await.expect("accepted");
    let refused = refuse::new("no voice")
        .enqueue_on(&backends)
        .await
        .expect("a task that will fail is accepted like any other");
    if said.is_finished() {
        assert_eq!(said.return_value().expect("it was successful"), "hello");
        silent.return_value().expect("nothing is a value");
        assert_eq!(refused.status(), TaskStatus::Failed);
        let error = refused.return_value().expect_err("it failed");
        assert_eq!(error.kind(), ErrorKind::TaskFailed);
        assert!(error.to_string().contains("no voice"), "{error}");
        return;
    }
    for error in [
        said.return_value().err(),
        silent.return_value().err(),
        refused.return_value().err(),
    ] {
        let error = error.expect("it has not run");
        assert_eq!(error.kind(), ErrorKind::NotFinished, "{error}");
    }
}

/// Two looks at one task that saw the same are equal.
pub async fn copies_of_a_result_are_equal_and_other_tasks_are_not(store: Store) {
    let backends = store.backends();
    let one = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let other = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    assert_eq!(one, one.clone());
    assert_ne!(one, other);
}
