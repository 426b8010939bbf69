//! What a dummy answers, and what its assertions say when they fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use conformance::tasks::{echo, renamed, report};
use task_core::{BackendAlias, Limits, NewTask, RetryPolicy, TaskBackend as _, TaskId};

use super::*;

/// What a panic says.
fn told(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).expect_err("it panics");
    *panic.downcast::<String>().expect("with a text")
}

fn empty() -> (DummyBackend, Backends) {
    let dummy = DummyBackend::new();
    let backends = Backends::single(Arc::new(dummy.clone()));
    (dummy, backends)
}

#[tokio::test]
async fn the_calls_of_one_task_are_told_in_order_with_their_arguments() {
    let (dummy, backends) = empty();
    for name in ["Ada", "Bob", "Cid"] {
        greet::new(name).enqueue_on(&backends).await.expect("accepted");
        echo::new("between")
            .enqueue_on(&backends)
            .await
            .expect("accepted");
    }
    let sent = dummy.enqueued::<greet>();
    let names: Vec<_> = sent.iter().map(|call| call.arguments.name.as_str()).collect();
    assert_eq!(names, ["Ada", "Bob", "Cid"]);
    assert_eq!((sent.count(), sent.is_empty()), (3, false));
    let ids: Vec<_> = sent.into_iter().map(|call| call.record.id).collect();
    let records = dummy.records();
    let all: Vec<_> = records.iter().step_by(2).map(|record| record.id).collect();
    assert_eq!(ids, all);
}

#[tokio::test]
async fn conditions_narrow_what_is_asked_for() {
    let (dummy, backends) = empty();
    for (name, priority, queue) in [("Ada", 1, "a"), ("Ada", 2, "b"), ("Bob", 1, "b")] {
        let options = TaskOptions::default().priority(priority).queue(queue);
        let call = greet::new(name).using(options.metadata("tenant", name));
        call.enqueue_on(&backends).await.expect("accepted");
    }
    let sent = || dummy.enqueued::<greet>();
    sent().with_priority(1).assert_count(2);
    sent().on_queue("b").assert_count(2);
    sent().with(|call| call.name == "Ada").assert_count(2);
    sent()
        .with_record(|record| record.metadata()["tenant"] == "Bob")
        .assert_count(1);
    let one = sent().with(|call| call.name == "Ada").on_queue("b").one();
    assert_eq!((one.record.priority, one.arguments.name.as_str()), (2, "Ada"));
    sent().with_priority(2).on_queue("a").assert_none();
}

#[tokio::test]
async fn a_failed_assertion_lists_what_was_enqueued_instead() {
    let (dummy, backends) = empty();
    let call = greet::new("Ada").using(priority(5).metadata("tenant", "acme"));
    call.enqueue_on(&backends).await.expect("accepted");
    echo::new("x").enqueue_on(&backends).await.expect("accepted");

    let text = told(|| {
        dummy
            .enqueued::<greet>()
            .on_queue("special")
            .with_priority(5)
            .assert_count(1);
    });
    assert_eq!(
        text,
        "expected 1 call of `testing::greet` on queue `special` with priority 5, found 0; enqueued were:\n  \
         1. testing::greet {\"name\":\"Ada\"} queue=default priority=5 metadata={\"tenant\":\"acme\"}\n  \
         2. conformance::echo {\"text\":\"x\"} queue=default priority=0"
    );
    let text = told(|| drop(dummy.enqueued::<greet_all>().one()));
    assert!(
        text.starts_with("expected 1 call of `testing::greet_all`, found 0;"),
        "{text}"
    );
    let text = told(|| dummy.enqueued::<greet>().with(|_| true).assert_none());
    assert!(
        text.starts_with("expected 0 calls of `testing::greet` with such arguments, found 1;"),
        "{text}"
    );
    let text = told(|| dummy.assert_none());
    assert!(
        text.starts_with("expected no task at all, found 2; enqueued were:\n  1. "),
        "{text}"
    );
    dummy.clear();
    let text = told(|| dummy.enqueued::<greet>().assert_count(2));
    assert!(text.ends_with("found 0; nothing was enqueued at all"), "{text}");
}

#[tokio::test]
async fn a_long_list_is_cut() {
    let (dummy, backends) = empty();
    for number in 0..25 {
        let name = format!("{number} {}", "x".repeat(1_000));
        greet::new(name).enqueue_on(&backends).await.expect("accepted");
    }
    let text = told(|| dummy.assert_none());
    assert!(
        text.contains("\n  20. ") && text.ends_with("\n  and 5 more"),
        "{text}"
    );
    assert!(
        !text.contains("21. ") && text.len() < 8_000,
        "{} bytes",
        text.len()
    );
}

#[tokio::test]
async fn waiting_ends_with_the_enqueueing_it_waits_for() {
    let (dummy, backends) = empty();
    let began = std::time::Instant::now();
    let waiting = tokio::spawn({
        let dummy = dummy.clone();
        async move { dummy.wait_for::<greet>(2, Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    greet::new("Ada").enqueue_on(&backends).await.expect("accepted");
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "one is not two");
    greet::new("Bob").enqueue_on(&backends).await.expect("accepted");
    let sent = waiting.await.expect("no panic").expect("two came");
    assert_eq!(sent.count(), 2);
    assert!(began.elapsed() < Duration::from_secs(30), "nobody woke it");
    // What is there already is not waited for.
    let again = dummy.wait_for::<greet>(2, Duration::ZERO).await;
    assert_eq!(again.expect("both are there").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn waiting_in_vain_tells_what_came_instead() {
    let (dummy, backends) = empty();
    echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let error = dummy.wait_for::<greet>(1, Duration::from_secs(5)).await;
    let error = error.expect_err("nobody enqueues it");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(
        error.message().contains("expected 1 call of `testing::greet`"),
        "{error}"
    );
    assert!(error.message().contains("1. conformance::echo"), "{error}");
}

#[tokio::test]
async fn one_dummy_may_stand_behind_several_aliases() {
    let dummy = DummyBackend::new();
    let alias = |name: &str| BackendAlias::new(name, Arc::new(dummy.clone()), [], Limits::DEFAULT);
    let backends = Backends::new([alias("default"), alias("reports")]);
    echo::new("x").enqueue_on(&backends).await.expect("accepted");
    report::new("y").enqueue_on(&backends).await.expect("accepted");
    dummy.enqueued::<echo>().assert_count(1);
    dummy.enqueued::<report>().assert_count(1);
}

#[tokio::test]
async fn calls_under_an_old_name_are_calls_of_the_task() {
    let dummy = DummyBackend::new();
    let task = |name: &str, arguments: &str| NewTask {
        id: TaskId::new(),
        name: name.into(),
        queue: "default".into(),
        priority: 0,
        run_after: None,
        arguments: arguments.into(),
        policy: RetryPolicy::DEFAULT,
        metadata: None,
        unique: None,
    };
    let old = task("conformance::formerly", r#"{"text":"x"}"#);
    dummy.enqueue(vec![old]).await.expect("accepted");
    assert_eq!(dummy.enqueued::<renamed>().one().arguments.text, "x");

    dummy
        .enqueue(vec![task("conformance::echo", r#"{"txt":"x"}"#)])
        .await
        .expect("accepted");
    let text = told(|| drop(dummy.enqueued::<echo>()));
    assert!(
        text.contains("do not fit `conformance::echo`") && text.contains("txt"),
        "{text}"
    );
}

#[tokio::test]
async fn another_kind_of_backend_is_no_dummy() {
    let backends = Backends::single(Arc::new(ImmediateBackend::new()));
    let error = DummyBackend::of(backends.get("default").expect("the only one")).expect_err("it is none");
    assert_eq!(error.kind(), ErrorKind::InvalidBackend);
    assert!(error.message().contains("`immediate` and not `dummy`"), "{error}");
}
