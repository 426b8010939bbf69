//! What draining runs, in which order, and what it says of failures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Mutex};

use conformance::tasks::{echo, refuse, refuse_thrice, report};
use task_core::{BackendAlias, Limits, TaskBackend};

use super::*;

/// The backends of the tests of this file, for the tasks that enqueue tasks.
static OPEN: LazyLock<Mutex<Vec<(String, Backends)>>> = LazyLock::new(Mutex::default);

/// Enqueues the next one down to zero, on the backends of this name, from alias to alias.
#[task]
async fn count_down(on: String, from: u32) {
    let open = OPEN.lock().expect("nobody panicked").clone();
    let (_, backends) = open
        .into_iter()
        .find(|(name, _)| *name == on)
        .expect("it is open");
    if from > 0 {
        let alias = if from.is_multiple_of(2) {
            "default"
        } else {
            "other"
        };
        let next = count_down::new(on, from - 1).using(task_core::backend(alias));
        next.enqueue_on(&backends).await.expect("accepted");
    }
}

/// Never ends.
#[task]
async fn hang(which: String) {
    let _ = which;
    std::future::pending::<()>().await;
}

async fn store() -> Backends {
    let store = SqliteBackend::temporary().await.expect("a new file");
    Backends::single(Arc::new(store))
}

fn alias(name: &str, backend: impl TaskBackend + 'static) -> BackendAlias {
    BackendAlias::new(name, Arc::new(backend), [], Limits::DEFAULT)
}

async fn timed_store() -> (Clock, Backends) {
    let clock = Clock::manual(Timestamp::from_second(2_000_000_000).expect("in range"));
    let options = SqliteOptions::temporary().expect("a folder").clock(clock.clone());
    let store = SqliteBackend::open(options).await.expect("a new file");
    (clock, Backends::single(Arc::new(store)))
}

/// The texts that echoes returned, in the order in which they ran.
fn texts(tasks: &[task_core::TaskRecord]) -> Vec<String> {
    let values = tasks
        .iter()
        .map(|task| task.return_value.clone().unwrap_or_default());
    values.map(|value| value.trim_matches('"').to_owned()).collect()
}

#[tokio::test]
async fn tasks_run_in_order_of_priority_and_arrival() {
    let backends = store().await;
    for (text, priority) in [("low", -1), ("first", 0), ("second", 0), ("high", 9)] {
        let call = echo::new(text).using(task_core::priority(priority));
        call.enqueue_on(&backends).await.expect("accepted");
    }
    let drained = drain(&backends).await.expect("drained");
    assert_eq!(texts(&drained.tasks), ["high", "first", "second", "low"]);
    assert_eq!((drained.summary.started, drained.summary.succeeded), (4, 4));
    let again = drain(&backends).await.expect("drained");
    assert_eq!(again, task_worker::Drained::default(), "nothing is left");
}

#[tokio::test]
async fn what_tasks_enqueue_on_any_alias_runs_as_well() {
    let [one, two] = [
        SqliteBackend::temporary().await.expect("a new file"),
        SqliteBackend::temporary().await.expect("a new file"),
    ];
    let backends = Backends::new([
        alias("default", one),
        alias("other", two),
        alias("dummy", DummyBackend::new()),
    ]);
    let mine = ("counting".to_owned(), backends.clone());
    OPEN.lock().expect("nobody panicked").push(mine);
    let call = count_down::new("counting", 7u32);
    call.enqueue_on(&backends).await.expect("accepted");
    let drained = drain(&backends).await.expect("drained");
    drained.assert_succeeded();
    assert_eq!(drained.tasks.len(), 8);
}

/// Enqueues an echo that comes before everything else.
#[task]
async fn hurry(on: String) {
    let open = OPEN.lock().expect("nobody panicked").clone();
    let (_, backends) = open
        .into_iter()
        .find(|(name, _)| *name == on)
        .expect("it is open");
    let urgent = echo::new("urgent").using(priority(100));
    urgent.enqueue_on(&backends).await.expect("accepted");
}

#[tokio::test]
async fn a_task_of_higher_priority_that_a_task_enqueues_comes_before_the_rest() {
    let backends = store().await;
    let mine = ("hurrying".to_owned(), backends.clone());
    OPEN.lock().expect("nobody panicked").push(mine);
    // Enough before it for a worker that fetches ahead to have begun with that.
    let quick = (0..200).map(|_| echo::new("quick").using(priority(50))).collect();
    task_core::enqueue_many_on(quick, &backends)
        .await
        .expect("accepted");
    hurry::new("hurrying")
        .enqueue_on(&backends)
        .await
        .expect("accepted");
    for text in ["one", "two", "three"] {
        echo::new(text).enqueue_on(&backends).await.expect("accepted");
    }
    let drained = drain(&backends).await.expect("drained");
    let ran = texts(&drained.tasks);
    assert_eq!(ran[200..], ["null", "urgent", "one", "two", "three"]);
}

#[tokio::test]
async fn two_may_drain_at_a_time_and_each_tells_of_its_own() {
    let (left, right) = (store().await, store().await);
    for number in 0..10 {
        let [one, two] = [format!("left {number}"), format!("right {number}")];
        echo::new(one).enqueue_on(&left).await.expect("accepted");
        echo::new(two).enqueue_on(&right).await.expect("accepted");
    }
    let (left, right) = tokio::join!(async { drain(&left).await }, async { drain(&right).await });
    for (drained, name) in [(left, "left"), (right, "right")] {
        let drained = drained.expect("drained");
        let expected: Vec<_> = (0..10).map(|number| format!("{name} {number}")).collect();
        assert_eq!(texts(&drained.tasks), expected);
    }
}

#[tokio::test]
async fn only_what_was_asked_for_runs() {
    let [one, two] = [
        SqliteBackend::temporary().await.expect("a new file"),
        SqliteBackend::temporary().await.expect("a new file"),
    ];
    let backends = Backends::new([alias("default", one), alias("reports", two)]);
    echo::new("a")
        .using(queue("a"))
        .enqueue_on(&backends)
        .await
        .expect("accepted");
    echo::new("b")
        .using(queue("b"))
        .enqueue_on(&backends)
        .await
        .expect("accepted");
    greet::new("Ada")
        .using(queue("b"))
        .enqueue_on(&backends)
        .await
        .expect("accepted");
    report::new("r").enqueue_on(&backends).await.expect("accepted");

    let drained = drain(&backends).backend("reports").await.expect("drained");
    assert_eq!(texts(&drained.tasks), ["r"]);
    let drained = drain(&backends).queues(["a"]).await.expect("drained");
    assert_eq!(texts(&drained.tasks), ["a"]);
    let mut registry = Registry::new();
    registry.add::<greet>().expect("the only one");
    let drained = drain(&backends).registry(registry).await.expect("drained");
    assert_eq!(texts(&drained.tasks), ["Hello, Ada!"]);
    let drained = drain(&backends).await.expect("drained");
    assert_eq!(texts(&drained.tasks), ["b"], "the rest");
}

#[tokio::test]
async fn failures_are_told_with_their_text() {
    let backends = store().await;
    echo::new("fine").enqueue_on(&backends).await.expect("accepted");
    refuse::new("no voice")
        .enqueue_on(&backends)
        .await
        .expect("accepted");
    refuse_thrice::new("not yet")
        .enqueue_on(&backends)
        .await
        .expect("accepted");
    let drained = drain(&backends)
        .await
        .expect("a failure of a task is none of draining");
    assert_eq!(drained.failures().count(), 2);
    assert!(drained.next_due.is_some(), "one is tried again");
    let panic = catch_unwind(AssertUnwindSafe(|| drained.assert_succeeded())).expect_err("two failed");
    let text = *panic.downcast::<String>().expect("with a text");
    for part in [
        "2 of 3 drained tasks failed:",
        "`conformance::refuse` {\"reason\":\"no voice\"} at attempt 1: ",
        "no voice",
        "`conformance::refuse_thrice` {\"reason\":\"not yet\"} at attempt 1, to be tried again: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let error = drained.check().expect_err("two failed");
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::TaskFailed, text.as_str())
    );
}

#[tokio::test]
async fn time_passes_from_one_due_task_to_the_next() {
    let (clock, backends) = timed_store().await;
    let began = clock.now();
    let minute = Duration::from_secs(60);
    for (text, minutes) in [("later", 50), ("never", 90), ("sooner", 10)] {
        let call = echo::new(text).using(run_after(minutes * minute));
        call.enqueue_on(&backends).await.expect("accepted");
    }
    echo::new("now").enqueue_on(&backends).await.expect("accepted");
    let drained = drain(&backends).await.expect("drained");
    assert_eq!(texts(&drained.tasks), ["now"]);
    assert_eq!(drained.next_due, Some(10 * minute));
    let drained = drain(&backends)
        .advancing(&clock, 60 * minute)
        .await
        .expect("drained");
    assert_eq!(texts(&drained.tasks), ["sooner", "later"]);
    assert_eq!(drained.next_due, Some(30 * minute));
    // What passes between a claim and a start is measured, and is less than a second.
    let seconds = |after: Duration| (began + after).as_second();
    let began_at = drained
        .tasks
        .iter()
        .map(|task| task.started_at.expect("it ran").as_second());
    let expected = [seconds(10 * minute), seconds(50 * minute)];
    assert_eq!(began_at.collect::<Vec<_>>(), expected, "each at its time");
    assert_eq!(clock.now(), began + 60 * minute, "all of it has passed");
}

#[tokio::test]
async fn the_machines_clock_is_not_moved() {
    let backends = store().await;
    let error = drain(&backends)
        .advancing(&Clock::system(), Duration::from_secs(1))
        .await;
    assert_eq!(error.expect_err("nobody can").kind(), ErrorKind::State);
}

#[tokio::test]
async fn what_takes_too_long_is_named_and_given_back() {
    let backends = store().await;
    let call = hang::new("this one");
    let mut hanging = call.enqueue_on(&backends).await.expect("accepted");
    let error = drain(&backends).timeout(Duration::from_millis(300)).await;
    let error = error.expect_err("it never ends");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(
        error
            .message()
            .contains("`testing::hang` {\"which\":\"this one\"}"),
        "{error}"
    );
    hanging.refresh().await.expect("it is there");
    assert_eq!((hanging.status(), hanging.attempts), (TaskStatus::Ready, 1));
}

#[tokio::test]
async fn several_tasks_run_at_a_time_when_asked_to() {
    let backends = store().await;
    let mine = ("pair".to_owned(), backends.clone());
    OPEN.lock().expect("nobody panicked").push(mine);
    wait_for_echo::new("pair")
        .enqueue_on(&backends)
        .await
        .expect("accepted");
    let drained = drain(&backends).concurrency(2).await.expect("drained");
    drained.assert_succeeded();
    assert_eq!(drained.tasks.len(), 2);
}

/// Enqueues a task and waits for what it returns.
#[task]
async fn wait_for_echo(on: String) -> Result<String, task_core::Error> {
    let open = OPEN.lock().expect("nobody panicked").clone();
    let (_, backends) = open
        .into_iter()
        .find(|(name, _)| *name == on)
        .expect("it is open");
    let mut result = echo::new("back").enqueue_on(&backends).await?;
    result.wait(Duration::from_secs(30)).await
}

#[tokio::test]
async fn where_no_worker_can_work_there_is_nothing_to_drain() {
    let backends = Backends::new([
        alias("default", DummyBackend::new()),
        alias("now", ImmediateBackend::new()),
    ]);
    let error = drain(&backends).await.expect_err("neither has workers");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("dummy, immediate"), "{error}");
    let error = drain(&backends).backend("now").await.expect_err("it has none");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_temporary_store_is_gone_with_its_last_user() {
    let options = SqliteOptions::temporary().expect("a folder");
    let store = SqliteBackend::open(options.clone()).await.expect("a new file");
    let (file, other) = (
        store.path().to_owned(),
        SqliteBackend::temporary().await.expect("a new file"),
    );
    assert!(file.is_file());
    assert_ne!(file, other.path(), "each has its own");
    let second = SqliteBackend::open(options).await.expect("the same file");
    assert_eq!(second.path(), file);
    store.close().await;
    drop(store);
    assert!(file.is_file(), "one still uses it");
    second.close().await;
    drop(second);
    assert!(!file.parent().expect("a folder").exists());
}
