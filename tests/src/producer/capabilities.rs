//! What the backend says it can do, and whether that is so: each both ways.

use std::time::Duration;

use task_core::{ErrorKind, Result, TaskResult, Timestamp, priority, run_after};

use crate::Store;
use crate::tasks::{echo, shout};

/// The call was accepted exactly where the capability is declared.
fn assert_declared<T>(declared: bool, outcome: Result<TaskResult<T>>) -> Option<TaskResult<T>> {
    match outcome {
        Ok(result) => {
            assert!(
                declared,
                "accepted, but the backend declares that it cannot do it"
            );
            Some(result)
        }
        Err(error) => {
            assert!(!declared, "declared, but refused: {error}");
            assert_eq!(error.kind(), ErrorKind::InvalidTask, "{error}");
            None
        }
    }
}

/// Tasks with a due time are accepted.
pub async fn a_due_time_is_accepted_exactly_where_defer_is_declared(store: Store) {
    let declared = store.backend().capabilities().defer;
    let call = echo::new("x").using(run_after(Duration::from_secs(3600)));
    let result = assert_declared(declared, call.enqueue_on(&store.backends()).await);
    if let Some(result) = result {
        let due = result.run_after.expect("it is due later");
        assert_eq!(due, result.enqueued_at + Duration::from_secs(3600));
    }
    let call = echo::new("x").using(run_after(Timestamp::UNIX_EPOCH));
    let result = assert_declared(declared, call.enqueue_on(&store.backends()).await);
    if let Some(result) = result {
        assert_eq!(result.run_after, None, "a past moment means now");
    }
}

/// Priorities other than 0 are accepted.
pub async fn a_priority_is_accepted_exactly_where_it_is_declared(store: Store) {
    let declared = store.backend().capabilities().priority;
    for value in [100, -100, 1] {
        let call = echo::new("x").using(priority(value));
        let result = assert_declared(declared, call.enqueue_on(&store.backends()).await);
        if let Some(result) = result {
            assert_eq!(result.priority, value);
        }
    }
    let call = echo::new("x").using(priority(0));
    let result = call.enqueue_on(&store.backends()).await;
    assert_eq!(result.expect("0 is always accepted").priority, 0);
}

/// Async tasks are accepted.
pub async fn an_async_task_is_accepted_exactly_where_it_is_declared(store: Store) {
    let declared = store.backend().capabilities().async_task;
    assert_declared(declared, echo::new("x").enqueue_on(&store.backends()).await);
}

/// A task that is not async is accepted by every backend.
pub async fn a_task_that_blocks_is_accepted_everywhere(store: Store) {
    let result = shout::new("four").enqueue_on(&store.backends()).await;
    let result = result.expect("accepted");
    if result.is_finished() {
        assert_eq!(result.return_value().expect("it ran"), "four!");
    }
}

/// The kind of store is a word that can stand in `tasks.toml`.
pub async fn the_kind_is_a_word_for_settings(store: Store) {
    let kind = store.backend().kind();
    assert!(!kind.is_empty());
    assert!(
        kind.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
        "{kind}"
    );
}

/// The backend itself, for code that knows its type: a transaction of one database.
pub async fn the_backend_can_be_asked_for_its_own_type(store: Store) {
    let backend = store.backend();
    let own: *const () = std::ptr::from_ref(&**backend).cast();
    let any: *const () = std::ptr::from_ref(backend.as_any()).cast();
    assert_eq!(own, any, "no wrapper, and no other object");
}
