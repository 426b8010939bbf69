//! Attempts that end badly.

use std::time::Duration;

use task_core::{Backoff, FailureKind, Limits, TaskOptions, TaskRecord, TaskStatus, Verdict};

use crate::stage::{NOTE, Stage};
use crate::tasks::{
    decide, fail_at_first, fail_deeply, find_nobody, letters, note, oversleep, oversleep_on_a_thread,
    panic_in_a_thread, panic_with, save_in_time,
};

/// The only failure of a task that ended `FAILED` at its first attempt.
fn only_failure(record: &TaskRecord) -> (FailureKind, &str) {
    assert_eq!(
        (record.status, record.attempts),
        (TaskStatus::Failed, 1),
        "{record:?}"
    );
    assert_eq!(record.errors.len(), 1, "{record:?}");
    assert_eq!(record.return_value, None);
    let failure = &record.errors[0].failure;
    (failure.kind, &failure.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_task_ends_successful_with_every_error_kept() {
    let stage = Stage::new().await;
    let backoff = TaskOptions::default()
        .backoff(Backoff::exponential(Duration::from_millis(200), Duration::from_secs(1)).jitter());
    let id = stage.enqueue_one(fail_at_first::new(3_u32).using(backoff)).await;
    let worker = stage.hire("worker", 10);
    let record = stage.ends_as(id, TaskStatus::Successful).await;
    assert_eq!((record.return_value.as_deref(), record.attempts), (Some("4"), 4));
    let messages: Vec<_> = record
        .errors
        .iter()
        .map(|error| error.failure.message.as_str())
        .collect();
    assert_eq!(messages, ["failure 1", "failure 2", "failure 3"]);
    assert_eq!(record.worker_ids, ["worker"; 4]);

    // Each wait is twice the one before, less up to a quarter.
    let began = record.errors.iter().skip(1).map(|error| error.started_at);
    let began = began.chain(record.last_attempted_at);
    for ((error, next), whole_ms) in record.errors.iter().zip(began).zip([200, 400, 800]) {
        let waited = next.duration_since(error.ended_at).as_millis();
        assert!(
            waited >= whole_ms * 3 / 4,
            "attempt {}: {waited} ms",
            error.attempt
        );
        assert!(
            waited <= whole_ms + 1_500,
            "attempt {}: {waited} ms",
            error.attempt
        );
    }
    let summary = worker.stop().await;
    assert_eq!((summary.started, summary.retried, summary.succeeded), (4, 3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_at_every_attempt_ends_failed_with_every_error_kept() {
    let stage = Stage::new().await;
    let options = TaskOptions::default()
        .max_attempts(3)
        .backoff(Backoff::fixed(Duration::ZERO));
    let id = stage.enqueue_one(fail_at_first::new(9_u32).using(options)).await;
    let worker = stage.hire("worker", 10);
    let record = stage.ends_as(id, TaskStatus::Failed).await;
    assert_eq!((record.attempts, record.errors.len()), (3, 3));
    assert!(
        record
            .errors
            .iter()
            .all(|error| error.failure.kind == FailureKind::Error)
    );
    let summary = worker.stop().await;
    assert_eq!((summary.started, summary.retried, summary.failed), (3, 2, 1));
}

/// A task whose attempts say these words, run by a worker to its end.
async fn decided(stage: &Stage, words: &[&str]) -> TaskRecord {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let id = stage.enqueue_one(decide::new(stage.on(), words)).await;
    let _worker = stage.hire("worker", 10);
    stage.ends(id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fatal_error_ends_the_task_whatever_attempts_are_left() {
    let stage = Stage::new().await;
    let record = decided(&stage, &["fatal"]).await;
    assert_eq!(only_failure(&record), (FailureKind::Error, "it will never work"));
    let failure = &record.errors[0].failure;
    assert_eq!(failure.verdict, Verdict::Fatal);
    assert_eq!(failure.error_type, "std::io::error::Error");

    let id = stage.enqueue_one(find_nobody::new()).await;
    let _worker = stage.hire("another", 1);
    let record = stage.ends(id).await;
    assert_eq!(
        only_failure(&record),
        (FailureKind::Error, "the customer is gone")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_in_goes_before_the_declared_wait_and_uses_an_attempt() {
    // Its declared wait is an hour.
    let stage = Stage::new().await;
    let record = decided(&stage, &["retry", "retry"]).await;
    assert_eq!(
        (record.status, record.attempts),
        (TaskStatus::Successful, 3),
        "{record:?}"
    );
    assert_eq!(record.errors.len(), 2);

    let stage = Stage::new().await;
    let record = decided(&stage, &["retry", "retry", "retry", "value"]).await;
    assert_eq!((record.status, record.attempts), (TaskStatus::Failed, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_snoozes_uses_no_attempt_and_leaves_nothing_in_its_history() {
    let stage = Stage::new().await;
    let record = decided(&stage, &["snooze", "snooze", "snooze", "snooze", "value"]).await;
    assert_eq!(
        (record.status, record.attempts),
        (TaskStatus::Successful, 1),
        "{record:?}"
    );
    assert_eq!(record.return_value.as_deref(), Some("1"));
    assert!(record.errors.is_empty(), "{record:?}");
    assert_eq!(stage.board.notes().len(), 5, "it began five times");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_hears_of_its_time_limit_may_return_a_value() {
    let stage = Stage::new().await;
    let id = stage.enqueue_one(save_in_time::new(stage.on())).await;
    let _worker = stage.hire("worker", 10);
    let record = stage.ends_as(id, TaskStatus::Successful).await;
    assert_eq!(
        record.return_value.as_deref(),
        Some("\"saved, since its time limit has passed\"")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_outlives_its_time_limit_keeps_its_slot() {
    let stage = Stage::new().await;
    let slow = stage.enqueue_one(oversleep_on_a_thread::new(stage.on())).await;
    let worker = stage.hire("worker", 1);
    // Its end is told at once ..
    let record = stage.ends(slow).await;
    assert_eq!(only_failure(&record).0, FailureKind::TimedOut);
    // .. but the only slot is not free: nothing else begins.
    let other = stage.enqueue_one(note::new(stage.on(), "after it")).await;
    let waiting = tokio::time::timeout(Duration::from_millis(700), stage.ends(other)).await;
    assert!(waiting.is_err(), "{waiting:?}");
    assert_eq!(
        (stage.board.running(), stage.board.notes()),
        (1, vec!["the thread begins".to_owned()])
    );
    stage.board.open();
    stage.ends_as(other, TaskStatus::Successful).await;
    assert_eq!(stage.board.running(), 0);
    let summary = worker.stop().await;
    assert_eq!((summary.started, summary.failed, summary.succeeded), (2, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_kept_with_its_type_and_its_sources() {
    let stage = Stage::new().await;
    let id = stage.enqueue_one(fail_deeply::new()).await;
    let _worker = stage.hire("worker", 10);
    let record = stage.ends(id).await;
    assert_eq!(only_failure(&record), (FailureKind::Error, "the outside of it"));
    let failure = &record.errors[0].failure;
    assert_eq!(failure.sources, ["the inside of it"]);
    assert!(
        failure.error_type.ends_with("tasks::Outer"),
        "{}",
        failure.error_type
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_task_and_no_other() {
    let stage = Stage::new().await;
    let here = stage.enqueue_one(panic_with::new("out of cheese")).await;
    let there = stage.enqueue_one(panic_in_a_thread::new("out of thread")).await;
    let other = stage.enqueue_one(note::new(stage.on(), "all is well")).await;
    let worker = stage.hire("worker", 1);
    for (id, message) in [(here, "out of cheese"), (there, "out of thread")] {
        let record = stage.ends(id).await;
        assert_eq!(only_failure(&record), (FailureKind::Panic, message));
        let place = record.errors[0].failure.location.as_deref().expect("a place");
        assert!(place.contains("worker/tasks.rs:"), "{place}");
    }
    stage.ends_as(other, TaskStatus::Successful).await;
    assert_eq!(worker.stop().await.failed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_over_its_time_limit_is_dropped_and_fails() {
    let stage = Stage::new().await;
    let id = stage.enqueue_one(oversleep::new(stage.on())).await;
    let _worker = stage.hire("worker", 10);
    let record = stage.ends(id).await;
    let (kind, message) = only_failure(&record);
    assert_eq!(kind, FailureKind::TimedOut);
    assert!(message.contains("100ms"), "{message}");
    assert_eq!(
        (stage.board.most(), stage.board.running()),
        (1, 0),
        "it ran and was dropped"
    );
    let took = record.errors[0]
        .ended_at
        .duration_since(record.errors[0].started_at);
    assert!(took.as_millis() >= 100, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_is_held_at_every_attempt() {
    let stage = Stage::new().await;
    let twice = TaskOptions::default()
        .max_attempts(2)
        .backoff(Backoff::fixed(Duration::ZERO));
    let id = stage.enqueue_one(oversleep::new(stage.on()).using(twice)).await;
    let _worker = stage.hire("worker", 10);
    let record = stage.ends_as(id, TaskStatus::Failed).await;
    let kinds: Vec<_> = record.errors.iter().map(|error| error.failure.kind).collect();
    assert_eq!(kinds, [FailureKind::TimedOut; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_cannot_be_read_fail_their_task_and_no_other() {
    let stage = Stage::new().await;
    let mut wrong = Vec::new();
    for arguments in [
        "{}",
        r#"{"on": "x", "text": 7}"#,
        r#"{"on": "x", "text": null}"#,
        r#"["x", 7]"#,
        "null",
        "not JSON",
        "",
        "{\"on\": \"x",
    ] {
        wrong.push((arguments, stage.enqueue_raw(NOTE, arguments).await));
    }
    let other = stage.enqueue_one(note::new(stage.on(), "all is well")).await;
    let _worker = stage.hire("worker", 10);
    for (arguments, id) in wrong {
        let record = stage.ends(id).await;
        let (kind, message) = only_failure(&record);
        assert_eq!(kind, FailureKind::Arguments, "{arguments}: {message}");
    }
    stage.ends_as(other, TaskStatus::Successful).await;
    assert_eq!(stage.board.notes(), ["all is well"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_over_the_limit_fails_its_task_and_one_at_the_limit_does_not() {
    let limits = Limits {
        result_bytes: 1_000,
        ..Limits::DEFAULT
    };
    let stage = Stage::with_limits(limits).await;
    // Two bytes are the quotes around it.
    let fits = stage.enqueue_one(letters::new(998_usize)).await;
    let too_large = stage.enqueue_one(letters::new(999_usize)).await;
    let _worker = stage.hire("worker", 10);
    let record = stage.ends_as(fits, TaskStatus::Successful).await;
    assert_eq!(record.return_value.map(|value| value.len()), Some(1_000));
    let record = stage.ends(too_large).await;
    let (kind, message) = only_failure(&record);
    assert_eq!(kind, FailureKind::ReturnValue);
    assert!(
        message.contains("1001 bytes") && message.contains("max_result_bytes"),
        "{message}"
    );
}
