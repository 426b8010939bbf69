//! Enqueueing through a call of a defined task: options, aliases, queues, and what is refused.

use std::time::Duration;

use task_backends::DummyBackend;
use task_core::signals::TASK_ENQUEUED;
use task_core::{
    BackendAlias, Backends, Backoff, Error, ErrorKind, Limits, Task as _, TaskOptions, backend, priority,
    queue,
};

use crate::scene::own_queue;
use crate::tasks::{add, echo, report};
use crate::{Heard, Store};

/// The store as `default`, with these queues and no others.
pub(crate) fn with_queues(store: &Store, queues: &[&str]) -> Backends {
    let queues = queues.iter().map(|queue| (*queue).to_owned());
    Backends::new([BackendAlias::new(
        "default",
        store.backend().clone(),
        queues,
        Limits::DEFAULT,
    )])
}

/// The kind of error, its sentence, and its advice.
fn told(error: &Error) -> (ErrorKind, String) {
    (error.kind(), error.to_string())
}

/// A queue that the backend does not list is refused, and the nearest one is told.
pub async fn a_queue_that_is_not_listed_is_invalid_and_the_nearest_one_is_told(store: Store) {
    let backends = with_queues(&store, &["default", "special"]);
    let call = echo::new("x").using(queue("specail"));
    let (kind, text) = told(&call.enqueue_on(&backends).await.expect_err("not listed"));
    assert_eq!(kind, ErrorKind::InvalidTask);
    assert!(text.contains("`specail`"), "{text}");
    assert!(text.contains("did you mean `special`?"), "{text}");
    let call = echo::new("x").using(queue("special"));
    let result = call.enqueue_on(&backends).await.expect("listed");
    assert_eq!(&*result.queue, "special");
}

/// An empty list of queues accepts any name.
pub async fn an_empty_list_of_queues_accepts_any_name(store: Store) {
    let call = echo::new("x").using(queue("never heard of"));
    let result = call.enqueue_on(&with_queues(&store, &[])).await;
    assert_eq!(&*result.expect("any name").queue, "never heard of");
}

/// An alias that does not exist is refused, and the nearest one is told.
pub async fn an_alias_that_does_not_exist_is_told_with_the_nearest_one(store: Store) {
    let call = echo::new("x").using(backend("defualt"));
    let (kind, text) = told(
        &call
            .enqueue_on(&store.backends())
            .await
            .expect_err("no such alias"),
    );
    assert_eq!(kind, ErrorKind::InvalidBackend);
    assert!(text.contains("`defualt`"), "{text}");
    assert!(text.contains("did you mean `default`?"), "{text}");
}

/// Priorities beyond a hundred are refused everywhere, whatever the backend can do.
pub async fn a_priority_beyond_a_hundred_is_invalid(store: Store) {
    for value in [101, -101, i32::MAX, i32::MIN] {
        let call = echo::new("x").using(priority(value));
        let error = call
            .enqueue_on(&store.backends())
            .await
            .expect_err("out of range");
        assert_eq!(error.kind(), ErrorKind::InvalidTask, "{error}");
        assert!(error.to_string().contains("-100 to 100"), "{error}");
    }
}

/// A queue name has at most a hundred bytes.
pub async fn a_queue_name_has_at_most_a_hundred_bytes(store: Store) {
    let longest = "q".repeat(100);
    let call = echo::new("x").using(queue(longest.clone()));
    let result = call.enqueue_on(&store.backends()).await.expect("100 bytes");
    assert_eq!(*result.queue, *longest);
    let call = echo::new("x").using(queue("q".repeat(101)));
    let error = call.enqueue_on(&store.backends()).await.expect_err("101 bytes");
    assert_eq!(error.kind(), ErrorKind::InvalidTask, "{error}");
}

/// A task has at least one attempt, and an attempt at least a millisecond.
pub async fn a_task_has_at_least_one_attempt_and_a_millisecond(store: Store) {
    for options in [
        TaskOptions::default().max_attempts(0),
        TaskOptions::default().timeout(Duration::from_micros(999)),
    ] {
        let call = echo::new("x").using(options);
        let error = call.enqueue_on(&store.backends()).await.expect_err("too little");
        assert_eq!(error.kind(), ErrorKind::InvalidTask, "{error}");
    }
}

/// A call without options has those that the task was defined with.
pub async fn a_call_without_options_has_those_of_the_definition(store: Store) {
    if !store.backend().capabilities().priority {
        return assert_refused(add::new(1, 2).enqueue_on(&store.backends()).await.err());
    }
    let result = add::new(1, 2)
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    assert_eq!((&*result.queue, result.priority), ("sums", 7));
    assert_eq!(result.policy, add::ENTRY.policy());
    assert_eq!(result.policy.max_attempts, 4);
    assert_eq!(&*result.name, "conformance::add");
}

fn assert_refused(error: Option<Error>) {
    let error = error.expect("the backend declares that it cannot do this");
    assert_eq!(error.kind(), ErrorKind::InvalidTask, "{error}");
}

/// The options of a call win over the definition, which stays as it is.
pub async fn the_options_of_a_call_win_and_leave_the_definition_alone(store: Store) {
    let options = queue("elsewhere")
        .priority(0)
        .max_attempts(9)
        .max_lost(0)
        .timeout(Duration::from_secs(5))
        .backoff(Backoff::exponential(Duration::from_secs(2), Duration::from_secs(60)).jitter());
    let call = add::new(1, 2).using(options);
    let result = call.enqueue_on(&store.backends()).await.expect("accepted");
    assert_eq!((&*result.queue, result.priority), ("elsewhere", 0));
    let policy = result.policy;
    assert_eq!((policy.max_attempts, policy.max_lost), (9, 0));
    assert_eq!(policy.timeout(), Some(Duration::from_secs(5)));
    assert_eq!(
        (policy.backoff.first_ms, policy.backoff.limit_ms),
        (2_000, 60_000)
    );
    let defined = (add::ENTRY.default_queue(), add::ENTRY.default_priority());
    assert_eq!(defined, ("sums", 7));
}

/// The metadata of a call is in its result; names that begin with `task.` are refused.
pub async fn the_metadata_of_a_call_is_in_its_result(store: Store) {
    let options = TaskOptions::default()
        .metadata("tenant", "acme")
        .metadata("cost", 3);
    let call = echo::new("x").using(options).using(priority(0));
    let result = call.enqueue_on(&store.backends()).await.expect("accepted");
    let metadata = result.record().metadata();
    assert_eq!(
        serde_json::Value::Object(metadata),
        serde_json::json!({ "tenant": "acme", "cost": 3 })
    );
    let reserved = echo::new("x").using(TaskOptions::default().metadata("task.trace", 1));
    let error = reserved
        .enqueue_on(&store.backends())
        .await
        .expect_err("reserved");
    assert_eq!(error.kind(), ErrorKind::InvalidTask);
}

/// Of options put over each other the later ones win, and the rest stays.
pub async fn later_options_of_a_call_win_and_the_earlier_ones_stay(store: Store) {
    let call = echo::new("x")
        .using(queue("first").max_attempts(2))
        .using(queue("second"));
    let result = call.enqueue_on(&store.backends()).await.expect("accepted");
    assert_eq!((&*result.queue, result.policy.max_attempts), ("second", 2));
}

/// The store as `default`, and a second backend as `reports`.
pub(crate) fn with_reports(store: &Store, reports: &DummyBackend) -> Backends {
    let reports = std::sync::Arc::new(reports.clone());
    Backends::new([
        BackendAlias::new("default", store.backend().clone(), [], Limits::DEFAULT),
        BackendAlias::new("reports", reports, [], Limits::DEFAULT),
    ])
}

/// A call goes to the backend its definition or its options name, and to no other.
pub async fn a_call_goes_to_the_backend_of_its_alias(store: Store) {
    let reports = DummyBackend::new();
    let backends = with_reports(&store, &reports);
    let defined = report::new("x").enqueue_on(&backends).await.expect("accepted");
    assert_eq!(defined.backend(), "reports");
    let asked = echo::new("x")
        .using(backend("reports"))
        .enqueue_on(&backends)
        .await;
    assert_eq!(asked.expect("accepted").backend(), "reports");
    assert_eq!(reports.records().len(), 2);

    let here = report::new("x")
        .using(backend("default"))
        .enqueue_on(&backends)
        .await;
    assert_eq!(here.expect("accepted").backend(), "default");
    assert_eq!(reports.records().len(), 2, "the third went to the other backend");
}

/// What a call asks for is compared with the backend it goes to, not with the one it
/// was defined for.
pub async fn options_are_checked_against_the_backend_of_the_call(store: Store) {
    let strict = std::sync::Arc::new(DummyBackend::new());
    let backends = Backends::new([
        BackendAlias::new("default", store.backend().clone(), [], Limits::DEFAULT),
        BackendAlias::new("reports", strict, ["paper".to_owned()], Limits::DEFAULT),
    ]);
    let call = || echo::new("x").using(queue("anything"));
    call()
        .enqueue_on(&backends)
        .await
        .expect("the default accepts any");
    let refused = call().using(backend("reports")).enqueue_on(&backends).await;
    assert_refused(refused.err());
}

/// A call that is refused never reaches the backend.
pub async fn a_refused_call_reaches_no_backend(store: Store) {
    let own = own_queue();
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let call = echo::new("x").using(queue(own.clone()).priority(500));
    call.enqueue_on(&store.backends())
        .await
        .expect_err("out of range");
    assert_eq!(heard.records(), []);
    let call = echo::new("x").using(queue(own));
    call.enqueue_on(&store.backends()).await.expect("in range");
    assert_eq!(heard.records().len(), 1, "the ear is open");
}
