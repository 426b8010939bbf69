//! One attempt of a task: decode, run, catch a panic, hold the time limit, encode.
//!
//! The immediate backend and the worker both run tasks through here, so a task fails
//! the same way everywhere.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::payload::{self, Limits};
use crate::{CancelReason, CancelToken, FailureKind, TaskContext, TaskEntry, TaskFailure, panic};

/// How long a task that takes its context may go on after it was told to end, before its
/// future is dropped. A task without context cannot notice and is dropped at once.
pub const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// Runs one attempt to its end and returns the return value as JSON.
///
/// - Arguments that do not fit: [`FailureKind::Arguments`].
/// - A panic, also in decoding or encoding: [`FailureKind::Panic`], with its place.
/// - Longer than its time limit, or told to end by `cancellation`: if it takes its context, it
///   has [`CANCEL_GRACE`] to end by itself, and a value it returns counts; then, or at once if it
///   takes none, the future is dropped. The attempt is [`FailureKind::TimedOut`],
///   [`FailureKind::Canceled`] or, when its worker stops, [`FailureKind::Interrupted`].
/// - A value that is too large or cannot be stored: [`FailureKind::ReturnValue`].
/// - The texts of a failure are cut at [`TaskFailure::MAX_TEXT_BYTES`].
///
/// Code on the blocking pool cannot be dropped: its thread goes on to its end, and
/// what it returns is thrown away. [`TaskContext::thread_ended`] tells when that is.
///
/// # Errors
/// The [`TaskFailure`] that is stored with the task.
pub async fn execute(
    entry: &TaskEntry,
    arguments: &str,
    context: TaskContext,
    cancellation: &CancelToken,
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
    cancellation: &CancelToken,
) -> Result<String, TaskFailure> {
    let limit = context.record().policy.timeout();
    let started = panic::catch(|| (entry.run)(arguments, context))?;
    let running = async {
        match AssertUnwindSafe(started).catch_unwind().await {
            Ok(outcome) => outcome,
            // The same poll, so the same thread: the place is still remembered.
            Err(panic) => Err(panic::failure(panic.as_ref())),
        }
    };
    let mut running = std::pin::pin!(running);
    // First the attempt: a task that is done at once should not pay for the other looks.
    let ended = tokio::select! {
        biased;
        outcome = &mut running => Some(outcome),
        () = cancellation.canceled() => None,
        () = passed(limit) => {
            cancellation.cancel(CancelReason::TimedOut);
            None
        }
    };
    if let Some(Err(failure)) = ended {
        // It may have heard of the request before we did.
        return Err(match cancellation.reason().filter(|_| entry.takes_context) {
            Some(reason) => told_to_end(reason, limit, Some(failure)),
            None => failure,
        });
    }
    if let Some(outcome) = ended {
        return outcome;
    }
    let reason = cancellation.reason().unwrap_or(CancelReason::Requested);
    if !entry.takes_context {
        return Err(told_to_end(reason, limit, None));
    }
    match tokio::time::timeout(CANCEL_GRACE, running).await {
        Ok(Ok(value)) => Ok(value),
        // What a task returns when it is told to end is rarely a failure of its own.
        Ok(Err(failure)) => Err(told_to_end(reason, limit, Some(failure))),
        Err(_) => Err(told_to_end(reason, limit, None)),
    }
}

/// Ends when the limit has passed; never when there is none.
async fn passed(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// The failure of an attempt that was told to end, with what it said itself.
fn told_to_end(reason: CancelReason, limit: Option<Duration>, said: Option<TaskFailure>) -> TaskFailure {
    let kind = match reason {
        CancelReason::Requested | CancelReason::LeaseLost => FailureKind::Canceled,
        CancelReason::TimedOut => FailureKind::TimedOut,
        CancelReason::WorkerStopping => FailureKind::Interrupted,
    };
    match (reason, said) {
        (CancelReason::TimedOut, said) => {
            let limit = limit.unwrap_or_default();
            let message = format!("the task ran longer than its time limit of {limit:?}");
            let mut failure = TaskFailure::new(kind, message);
            failure.sources.extend(said.map(|said| said.to_string()));
            failure
        }
        // Told to end, a task has no say in whether it runs again.
        (_, Some(said)) => TaskFailure { kind, ..said }.with_verdict(crate::Verdict::AsDeclared),
        (CancelReason::WorkerStopping, None) => {
            TaskFailure::new(kind, "the worker was stopped before the task had ended")
        }
        (_, None) => TaskFailure::new(kind, "the task was canceled while it ran"),
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
        let token = CancelToken::new();
        let mut record = TaskContext::detached(entry.name()).record().clone();
        record.policy = entry.policy();
        let context = TaskContext::new(record, "w", token.clone());
        if cancel {
            token.cancel(CancelReason::Requested);
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
    async fn a_task_over_its_time_limit_may_tidy_up_if_it_takes_its_context() {
        let limited = |run| TaskEntry::new("t", run).timeout_ms(30_000).with_context();
        let value = run(limited(ends_when_told), false).await.expect("ends itself");
        assert_eq!(value, "\"tidied up\"");

        fn says_why(_: &str, context: TaskContext) -> RunFuture {
            Box::pin(async move {
                context.canceled().await;
                let reason = context.cancel_reason().expect("told to end");
                Err(TaskFailure::new(FailureKind::Error, reason.to_string()))
            })
        }
        let failure = run(limited(says_why), false).await.expect_err("says why");
        assert_eq!(failure.kind, FailureKind::TimedOut);
        assert_eq!(failure.sources, ["its time limit has passed"]);

        let began = tokio::time::Instant::now();
        let failure = run(limited(never_ends), false).await.expect_err("dropped");
        assert_eq!(failure.kind, FailureKind::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(30) + CANCEL_GRACE);
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
