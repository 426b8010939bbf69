//! The immediate backend: the suite, and what is its own.

use std::sync::Arc;
use std::time::Duration;

use conformance::tasks::{echo, introspect, letters, oversleep, panic_with, refuse, refuse_thrice, shout};
use conformance::{Fixture, Heard, Store, conformance};
use task_backends::ImmediateBackend;
use task_core::signals::{TASK_ENQUEUED, TASK_FINISHED, TASK_STARTED};
use task_core::{
    Backends, ErrorKind, FailureKind, Limits, NewTask, Registry, RetryPolicy, TaskBackend as _, TaskFailure,
    TaskId, TaskOptions, TaskRecord, TaskStatus, queue,
};

struct Immediate;

impl Fixture for Immediate {
    async fn fresh() -> Store {
        Store::new(ImmediateBackend::new())
    }
}

conformance!(Immediate: producer, forgetful);

fn fresh() -> Backends {
    Backends::single(Arc::new(ImmediateBackend::new()))
}

/// A task of this name, as another program might have enqueued it.
fn by_hand(name: &str, arguments: &str) -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: name.into(),
        queue: "default".into(),
        priority: 0,
        run_after: None,
        arguments: arguments.into(),
        policy: RetryPolicy::DEFAULT,
        metadata: None,
        unique: None,
    }
}

/// It ended `FAILED` after its only attempt.
fn only_failure(record: &TaskRecord) -> &TaskFailure {
    assert_eq!(record.status, TaskStatus::Failed);
    assert_eq!((record.attempts, record.errors.len()), (1, 1));
    assert_eq!(record.return_value, None);
    let error = &record.errors[0];
    assert_eq!((error.attempt, &error.worker_id), (1, &record.worker_ids[0]));
    assert_eq!(Some(error.started_at), record.started_at);
    assert_eq!(Some(error.ended_at), record.finished_at);
    &error.failure
}

#[tokio::test]
async fn a_task_has_run_when_enqueue_returns() {
    let result = echo::new("hello").enqueue_on(&fresh()).await.expect("accepted");
    assert_eq!(result.status(), TaskStatus::Successful);
    assert_eq!(result.return_value().expect("it ran"), "hello");
    let blocking = shout::new("four").enqueue_on(&fresh()).await;
    assert_eq!(
        blocking.expect("accepted").return_value().expect("it ran"),
        "four!"
    );
}

#[tokio::test]
async fn signals_come_in_order_with_the_state_of_the_moment() {
    let own = format!("queue-{}", TaskId::new());
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let _connections = [&TASK_ENQUEUED, &TASK_STARTED, &TASK_FINISHED].map(|signal| {
        let (order, own) = (order.clone(), own.clone());
        signal.connect(move |record| {
            if *record.queue == *own {
                let seen = (format!("{signal:?}"), record.status, record.attempts);
                order.lock().expect("nobody panics here").push(seen);
            }
        })
    });
    let call = echo::new("x").using(queue(own));
    call.enqueue_on(&fresh()).await.expect("accepted");
    let seen = order.lock().expect("nobody panics here").clone();
    let expected = [
        ("Signal(task_enqueued)".to_owned(), TaskStatus::Ready, 0),
        ("Signal(task_started)".to_owned(), TaskStatus::Running, 1),
        ("Signal(task_finished)".to_owned(), TaskStatus::Successful, 1),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_task_that_fails_is_failed_and_enqueue_succeeds_all_the_same() {
    let own = format!("queue-{}", TaskId::new());
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let call = refuse::new("no voice").using(queue(own));
    let result = call.enqueue_on(&fresh()).await.expect("a failure is no error");
    let failure = only_failure(result.record());
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Error, "no voice")
    );
    let error = result.return_value().expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    assert!(error.to_string().contains("no voice"), "{error}");
    assert_eq!(finished.records(), [result.record().clone()]);
}

#[tokio::test]
async fn a_panic_is_recorded_with_its_message_and_place() {
    let result = panic_with::new("out of cheese").enqueue_on(&fresh()).await;
    let result = result.expect("a panic is the task's own");
    let failure = only_failure(result.record());
    assert_eq!(failure.kind, FailureKind::Panic);
    assert_eq!(failure.message, "out of cheese");
    let place = failure.location.as_deref().expect("a place");
    assert!(place.contains("tasks.rs:"), "{place}");
}

#[tokio::test]
async fn a_task_over_its_time_limit_is_failed() {
    let result = oversleep::new().enqueue_on(&fresh()).await.expect("accepted");
    assert_eq!(only_failure(result.record()).kind, FailureKind::TimedOut);
    let options = TaskOptions::default().timeout(Duration::from_millis(5));
    let result = oversleep::new().using(options).enqueue_on(&fresh()).await;
    let message = only_failure(result.expect("accepted").record()).message.clone();
    assert!(message.contains("5ms"), "the limit of the call counts: {message}");
}

#[tokio::test]
async fn a_task_sees_its_own_id_and_its_first_attempt() {
    let result = introspect::new().enqueue_on(&fresh()).await.expect("accepted");
    let (id, attempt, status) = result.return_value().expect("it ran");
    assert_eq!((id, attempt, status.as_str()), (result.id(), 1, "RUNNING"));
}

#[tokio::test]
async fn a_retry_is_not_done_because_that_needs_a_worker() {
    let result = refuse_thrice::new("no")
        .enqueue_on(&fresh())
        .await
        .expect("accepted");
    assert_eq!(result.policy.max_attempts, 3);
    only_failure(result.record());
}

#[tokio::test]
async fn a_value_over_the_limit_is_a_failure() {
    let limits = Limits {
        result_bytes: 12,
        ..Limits::DEFAULT
    };
    let backends = Backends::single(Arc::new(ImmediateBackend::new().with_limits(limits)));
    let fits = letters::new(10).enqueue_on(&backends).await.expect("accepted");
    assert_eq!(
        fits.return_value().expect("twelve bytes with quotes"),
        "x".repeat(10)
    );
    let large = letters::new(11).enqueue_on(&backends).await.expect("accepted");
    let failure = only_failure(large.record());
    assert_eq!(failure.kind, FailureKind::ReturnValue);
    assert!(failure.message.contains("13 bytes"), "{failure}");
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_a_failure_of_the_task() {
    let backend = ImmediateBackend::new();
    for arguments in ["{}", r#"{"text": 5}"#, "[]", "no JSON"] {
        let task = by_hand("conformance::echo", arguments);
        let records = backend.enqueue(vec![task]).await.expect("accepted");
        assert_eq!(
            only_failure(&records[0]).kind,
            FailureKind::Arguments,
            "{arguments}"
        );
    }
}

#[tokio::test]
async fn a_task_that_nobody_knows_refuses_the_call_before_anything_runs() {
    let own = format!("queue-{}", TaskId::new());
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let known = NewTask {
        queue: own.as_str().into(),
        ..by_hand("conformance::echo", r#"{"text": "x"}"#)
    };
    let unknown = by_hand("conformance::ehco", "{}");
    let error = ImmediateBackend::new().enqueue(vec![known, unknown]).await;
    let error = error.expect_err("nobody knows it");
    assert_eq!(error.kind(), ErrorKind::Registry);
    assert!(
        error.to_string().contains("did you mean `conformance::echo`?"),
        "{error}"
    );
    assert_eq!(heard.records(), []);
}

#[tokio::test]
async fn with_a_registry_of_its_own_it_knows_no_other_tasks() {
    let mut registry = Registry::new();
    registry.add::<echo>().expect("the first one");
    let backends = Backends::single(Arc::new(ImmediateBackend::new().with_registry(registry)));
    let result = echo::new("x")
        .enqueue_on(&backends)
        .await
        .expect("it knows this one");
    assert_eq!(result.status(), TaskStatus::Successful);
    let error = refuse::new("x")
        .enqueue_on(&backends)
        .await
        .expect_err("not registered");
    assert_eq!(error.kind(), ErrorKind::Registry);
}

#[tokio::test]
async fn every_backend_has_one_worker_of_its_own() {
    let (one, other) = (fresh(), fresh());
    let mut workers = Vec::new();
    for backends in [&one, &one, &other] {
        let result = echo::new("x").enqueue_on(backends).await.expect("accepted");
        workers.push(result.worker_ids[0].clone());
    }
    assert_eq!(workers[0], workers[1]);
    assert_ne!(workers[0], workers[2]);
}
