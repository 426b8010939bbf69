//! One attempt of a task: decode, run, catch a panic, hold the time limit, encode.
//!
//! The immediate backend and the worker both run tasks through here, so a task fails
//! the same way everywhere.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::payload::{self, Limits};
use crate::{FailureKind, TaskContext, TaskEntry, TaskFailure, panic};

/// How long a task that takes its context may go on after it was canceled, before its
/// future is dropped. A task without context cannot notice and is dropped at once.
pub const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// Runs one attempt to its end and returns the return value as JSON.
///
/// - Arguments that do not fit: [`FailureKind::Arguments`].
/// - A panic, also in decoding or encoding: [`FailureKind::Panic`], with its place.
/// - Longer than `timeout`: the future is dropped, [`FailureKind::TimedOut`].
/// - Canceled: the future has [`CANCEL_GRACE`] to end by itself if it takes its
///   context, is dropped after that, and the attempt is [`FailureKind::Canceled`] unless
///   it ended with a value.
/// - A value that is too large or cannot be stored: [`FailureKind::ReturnValue`].
/// - The texts of a failure are cut at [`TaskFailure::MAX_TEXT_BYTES`].
///
/// Code on the blocking pool cannot be dropped: its thread goes on to its end, and
/// what it returns is thrown away.
///
/// # Errors
/// The [`TaskFailure`] that is stored with the task.
pub async fn execute(
    entry: &TaskEntry,
    arguments: &str,
    context: TaskContext,
    cancellation: &CancellationToken,
    limits: Limits,
) -> Result<String, TaskFailure> {
    let outcome = attempt(entry, arguments, context.limited(limits), cancellation).await;
    let checked = match outcome {
        Ok(value) if entry.is_generated => Ok(value),
        Ok(value) => payload::check_result(value, limits),
        Err(failure) => Err(failure),
    };
    // Whoever wrote the failure may have filled it in by hand.
    checked.map_err(TaskFailure::storable)
}

async fn attempt(
    entry: &TaskEntry,
    arguments: &str,
    context: TaskContext,
    cancellation: &CancellationToken,
) -> Result<String, TaskFailure> {
    let timeout = context.record().policy.timeout();
    let started = panic::catch(|| (entry.run)(arguments, context))?;
    let caught = async {
        match AssertUnwindSafe(started).catch_unwind().await {
            Ok(outcome) => outcome,
            // The same poll, so the same thread: the place is still remembered.
            Err(panic) => Err(panic::failure(panic.as_ref())),
        }
    };
    let limited = async {
        match timeout {
            None => caught.await,
            Some(limit) => tokio::time::timeout(limit, caught).await.unwrap_or_else(|_| {
                Err(TaskFailure::new(
                    FailureKind::TimedOut,
                    format!("the task ran longer than its time limit of {limit:?}"),
                ))
            }),
        }
    };
    until_canceled(entry, limited, cancellation).await
}

/// The attempt's own end, or that of the patience with it after it was canceled.
async fn until_canceled(
    entry: &TaskEntry,
    attempt: impl Future<Output = Result<String, TaskFailure>>,
    cancellation: &CancellationToken,
) -> Result<String, TaskFailure> {
    let mut attempt = std::pin::pin!(attempt);
    // First the attempt: a task that is done at once should not pay for the second look.
    tokio::select! {
        biased;
        outcome = &mut attempt => return match outcome {
            // It heard of the request before we did.
            Err(failure) if entry.takes_context && cancellation.is_cancelled() => Err(TaskFailure {
                kind: FailureKind::Canceled,
                ..failure
            }),
            outcome => outcome,
        },
        () = cancellation.cancelled() => {}
    }
    let canceled = || TaskFailure::new(FailureKind::Canceled, "the task was canceled while it ran");
    if !entry.takes_context {
        return Err(canceled());
    }
    match tokio::time::timeout(CANCEL_GRACE, attempt).await {
        Ok(Ok(value)) => Ok(value),
        // What a task returns when it is told to stop is rarely a failure of its own.
        Ok(Err(failure)) => Err(TaskFailure {
            kind: FailureKind::Canceled,
            ..failure
        }),
        Err(_) => Err(canceled()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::__private::{RunFuture, encode, run_blocking};

    fn returns(_: &str, _: TaskContext) -> RunFuture {
        Box::pin(async { encode(&42, 16) })
    }
    fn panics(_: &str, _: TaskContext) -> RunFuture {
        Box::pin(async { panic!("out of cheese") })
    }
    fn panics_on_the_blocking_pool(_: &str, _: TaskContext) -> RunFuture {
        Box::pin(async {
            run_blocking(|| -> u8 { panic!("out of {}", "cheese") })
                .await
                .and_then(|n| encode(&n, 16))
        })
    }
    fn panics_while_decoding(_: &str, _: TaskContext) -> RunFuture {
        panic!("undecodable")
    }
    fn never_ends(_: &str, _: TaskContext) -> RunFuture {
        Box::pin(std::future::pending())
    }
    fn ends_when_told(_: &str, context: TaskContext) -> RunFuture {
        Box::pin(async move {
            context.canceled().await;
            encode("tidied up", 16)
        })
    }

    async fn run(entry: TaskEntry, cancel: bool) -> Result<String, TaskFailure> {
        let token = CancellationToken::new();
        let mut record = TaskContext::detached(entry.name()).record().clone();
        record.policy = entry.policy();
        let context = TaskContext::new(record, "w", token.clone());
        if cancel {
            token.cancel();
        }
        execute(
            &entry,
            "{}",
            context,
            &token,
            Limits {
                result_bytes: 16,
                ..Limits::DEFAULT
            },
        )
        .await
    }

    #[tokio::test]
    async fn a_value_comes_back_as_json() {
        assert_eq!(
            run(TaskEntry::new("t", returns), false).await.expect("returns"),
            "42"
        );
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_with_message_and_place() {
        for function in [panics, panics_on_the_blocking_pool, panics_while_decoding] {
            let failure = run(TaskEntry::new("t", function), false)
                .await
                .expect_err("panics");
            assert_eq!(failure.kind, FailureKind::Panic);
            let location = failure.location.expect("a place");
            assert!(location.contains("execute.rs:"), "{location}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_over_its_time_limit_is_dropped() {
        let failure = run(TaskEntry::new("t", never_ends).timeout_ms(30_000), false)
            .await
            .expect_err("slow");
        assert_eq!(failure.kind, FailureKind::TimedOut);
        assert!(failure.message.contains("30s"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_canceled_task_may_tidy_up_if_it_takes_its_context() {
        let failure = run(TaskEntry::new("t", never_ends), true)
            .await
            .expect_err("dropped");
        assert_eq!(failure.kind, FailureKind::Canceled);
        let value = run(TaskEntry::new("t", ends_when_told).with_context(), true)
            .await
            .expect("ends itself");
        assert_eq!(value, "\"tidied up\"");
        let failure = run(TaskEntry::new("t", never_ends).with_context(), true)
            .await
            .expect_err("dropped");
        assert_eq!(failure.kind, FailureKind::Canceled);
    }

    #[tokio::test]
    async fn a_value_over_the_limit_is_a_failure() {
        fn long(_: &str, _: TaskContext) -> RunFuture {
            Box::pin(async { encode("seventeen letters", 100) })
        }
        let failure = run(TaskEntry::new("t", long), false).await.expect_err("too long");
        assert_eq!(failure.kind, FailureKind::ReturnValue);
        assert!(failure.message.contains("the limit is 16"), "{failure}");
    }

    #[tokio::test]
    async fn what_a_task_entered_by_hand_returns_is_checked() {
        fn not_json(_: &str, _: TaskContext) -> RunFuture {
            Box::pin(async { Ok("not JSON".to_owned()) })
        }
        fn with_nul(_: &str, _: TaskContext) -> RunFuture {
            Box::pin(async { Ok(r#"["\u0000"]"#.to_owned()) })
        }
        fn long(_: &str, _: TaskContext) -> RunFuture {
            Box::pin(async { Ok(r#"{"a":1,"b":"four"}"#.to_owned()) })
        }
        for (function, says) in [
            (
                not_json as crate::RunFunction,
                "the return value cannot be stored as JSON",
            ),
            (
                with_nul,
                "`[0]` of the return value contains the character U+0000",
            ),
            (long, "the largest part is `b` with 6"),
        ] {
            let failure = run(TaskEntry::new("t", function), false).await.expect_err(says);
            assert_eq!(failure.kind, FailureKind::ReturnValue);
            assert!(failure.message.contains(says), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_failure_that_was_filled_in_by_hand_can_be_stored() {
        fn fails(_: &str, _: TaskContext) -> RunFuture {
            let mut failure = TaskFailure::new(FailureKind::Error, "");
            failure.message = "a\0b".to_owned();
            failure.sources = vec!["c".repeat(2 * TaskFailure::MAX_TEXT_BYTES)];
            Box::pin(async { Err(failure) })
        }
        let failure = run(TaskEntry::new("t", fails), false).await.expect_err("fails");
        assert_eq!(failure.message, "a\u{2400}b");
        assert_eq!(failure.sources[0].len(), TaskFailure::MAX_TEXT_BYTES);
    }
}
