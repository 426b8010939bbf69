//! What return values may be, and what is left of a failure's text: the same in every store.

use task_core::{
    CancelToken, FailureKind, Limits, Outcome, Task, TaskCall, TaskContext, TaskFailure, TaskResult,
    TaskStatus, execute,
};

use crate::Store;
use crate::played_worker::ended;
use crate::shapes::{
    Nest, assert_same, c_string, dig, distances_to, fail_at_length, fail_in_c, hard_numbers, order_at,
    panic_in_c, same_numbers,
};

/// Enqueues a call, claims it, runs it as every worker does, and tells the store how it ended.
async fn ran<T: Task>(store: &Store, call: TaskCall<T>) -> TaskResult<T::Output> {
    let mut result = call.enqueue_on(&store.backends()).await.expect("accepted");
    let worker = store.worker("w").await.knowing(&[T::ENTRY.name()]);
    let claimed = worker.claim_one().await;
    let token = CancelToken::new();
    let arguments = claimed.record.arguments.clone();
    let context = TaskContext::new(claimed.record.clone(), "w", token.clone());
    let outcome = match execute(T::ENTRY, &arguments, context, &token, Limits::DEFAULT).await {
        Ok(value) => Outcome::Succeeded(value),
        Err(failure) => Outcome::Failed(failure),
    };
    worker.finish(vec![ended(claimed, outcome)]).await;
    worker.leave().await;
    result.refresh().await.expect("it is there");
    result
}

/// The failure of a call that ran.
async fn failure<T: Task>(store: &Store, call: TaskCall<T>) -> TaskFailure {
    let result = ran(store, call).await;
    assert_eq!(result.status(), TaskStatus::Failed);
    result.errors[0].failure.clone()
}

/// Integers of 128 bits come back to the last digit, floats to the last bit: from the store to the
/// worker as arguments, and back as the return value.
pub async fn numbers_come_back_exactly(store: Store) {
    let result = ran(&store, same_numbers::new(hard_numbers())).await;
    assert_same(&result.return_value().expect("it was successful"));
}

/// A value of a hundred levels comes back, and one of more fails its task.
pub async fn a_value_of_a_hundred_levels_comes_back_and_a_deeper_one_fails(store: Store) {
    let result = ran(&store, dig::new(100_usize)).await;
    assert_eq!(result.return_value().expect("it was successful"), Nest::of(100));
    let failure = failure(&store, dig::new(101_usize)).await;
    assert_eq!(failure.kind, FailureKind::ReturnValue);
    assert!(
        failure
            .message
            .ends_with("of the return value is more than 100 levels deep"),
        "{failure}"
    );
}

/// A value that cannot be stored fails its task, with the path of the field.
pub async fn a_value_that_cannot_be_stored_fails_with_its_path(store: Store) {
    let not_a_number = failure(&store, order_at::new(0.0, 0.0)).await;
    let with_nul = failure(&store, c_string::new()).await;
    let with_keys = failure(&store, distances_to::new(1_u8)).await;
    for (failure, says) in [
        (
            not_a_number,
            "`lines[1].price` of the return value is NaN, which JSON cannot hold",
        ),
        (
            with_nul,
            "`[0]` of the return value contains the character U+0000, which not every store can keep",
        ),
        (
            with_keys,
            "the return value has a key that is no text, integer, bool, char or plain variant",
        ),
    ] {
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (FailureKind::ReturnValue, says)
        );
    }
}

/// In the text of a failure, `␀` (U+2400) stands for U+0000.
pub async fn the_text_of_a_failure_has_a_picture_of_u_0000(store: Store) {
    let failed = failure(&store, fail_in_c::new()).await;
    assert_eq!(
        (failed.kind, failed.message.as_str()),
        (FailureKind::Error, "a\u{2400}b")
    );
    let panicked = failure(&store, panic_in_c::new()).await;
    assert_eq!(
        (panicked.kind, panicked.message.as_str()),
        (FailureKind::Panic, "a\u{2400}b")
    );
}

/// Of the text of a failure the beginning is kept, with a note of how long it was.
pub async fn a_long_text_of_a_failure_is_cut_with_a_note(store: Store) {
    let most = TaskFailure::MAX_TEXT_BYTES;
    let whole = failure(&store, fail_at_length::new(most)).await;
    assert_eq!(whole.message, "x".repeat(most));
    let cut = failure(&store, fail_at_length::new(most + 1)).await;
    assert_eq!(cut.message.len(), most);
    assert!(
        cut.message
            .ends_with(&format!("x… [cut, {} bytes in all]", most + 1)),
        "{}",
        &cut.message[most - 60..]
    );
}
