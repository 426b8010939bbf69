//! Asking a backend for what it does not keep.

use std::time::Duration;

use task_core::{CancelRequest, ErrorKind, TaskId, get_result_on};

use crate::Store;
use crate::scene::new_task;
use crate::tasks::echo;

/// [`ErrorKind::Unsupported`] when the backend keeps no results.
pub async fn looking_up_is_unsupported_when_the_backend_keeps_no_results(store: Store) {
    let record = store.enqueue(new_task()).await;
    for id in [record.id, TaskId::new()] {
        let error = store.backend().find(id).await.expect_err("nothing is kept");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

/// Nothing that was enqueued can be canceled: it is not known any more.
pub async fn canceling_is_unsupported_too(store: Store) {
    let record = store.enqueue(new_task()).await;
    let error = store
        .backend()
        .cancel(record.id, &CancelRequest::default())
        .await
        .expect_err("nothing is kept");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

/// A result stays what `enqueue` answered.
pub async fn refreshing_and_waiting_are_unsupported_too(store: Store) {
    let mut result = echo::new("x")
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    let before = result.clone();
    let error = result.refresh().await.expect_err("nothing is kept");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = result
        .wait(Duration::from_secs(1))
        .await
        .expect_err("nothing is kept");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(result, before);
}

/// Looking up by type is looking up.
pub async fn a_typed_lookup_is_unsupported_too(store: Store) {
    let error = get_result_on::<echo>(TaskId::new(), &store.backends()).await;
    assert_eq!(error.expect_err("nothing is kept").kind(), ErrorKind::Unsupported);
}

/// A result can be looked up from any thread and process.
pub async fn it_does_not_declare_that_results_can_be_looked_up(store: Store) {
    assert!(!store.backend().capabilities().get_result);
}
