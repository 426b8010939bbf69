//! The guide `docs/testing.md`: every block of Rust in it stands in this file, and runs.

use std::sync::Arc;
use std::time::Duration;

use task_backends::{DummyBackend, ImmediateBackend, SqliteBackend, SqliteOptions};
use task_core::{
    Backends, Clock, ErrorKind, FailureKind, Registry, TaskContext, TaskOptions, TaskStatus, Timestamp,
    priority, queue, run_after, task,
};
use task_worker::drain;

#[path = "testing/draining.rs"]
mod draining;
#[path = "testing/dummies.rs"]
mod dummies;

/// Say hello.
#[task(max_attempts = 3)]
async fn greet(name: String) -> Result<String, String> {
    if name.is_empty() {
        return Err("nobody to greet".to_owned());
    }
    Ok(format!("Hello, {name}!"))
}

/// Say hello to everybody, each in a task of their own.
#[task]
async fn greet_all(names: Vec<String>) {
    for name in names {
        let call = greet::new(name).using(queue("special"));
        call.enqueue()
            .await
            .expect("the backends of the process accept it");
    }
}

/// What the application does when somebody signs up.
async fn sign_up(name: &str, backends: &Backends) -> task_core::Result<()> {
    let welcome = greet::new(name).using(priority(10).queue("special"));
    welcome.enqueue_on(backends).await?;
    let reminder = greet::new(name).using(run_after(Duration::from_secs(86_400)));
    reminder.enqueue_on(backends).await?;
    Ok(())
}

#[tokio::test]
async fn greeting_names_the_person() {
    assert_eq!(greet("Ada".to_owned()).await.as_deref(), Ok("Hello, Ada!"));
}

/// Tell which attempt this is.
#[task(takes_context)]
async fn attempt(context: TaskContext) -> u32 {
    context.attempt()
}

#[tokio::test]
async fn a_task_with_a_context_is_called_with_a_detached_one() {
    assert_eq!(attempt(TaskContext::detached("attempt")).await, 1);
}

#[tokio::test]
async fn signing_up_enqueues_a_welcome_and_a_reminder() -> task_core::Result<()> {
    let dummy = DummyBackend::new();
    let backends = Backends::single(Arc::new(dummy.clone()));

    sign_up("Ada", &backends).await?;

    let sent = dummy.enqueued::<greet>();
    sent.assert_count(2);
    assert!(sent.iter().all(|call| call.arguments.name == "Ada"));

    let welcome = dummy.enqueued::<greet>().on_queue("special").one();
    assert_eq!(welcome.record.priority, 10);
    assert_eq!(welcome.record.run_after, None);

    dummy
        .enqueued::<greet>()
        .with(|call| call.name == "Bob")
        .assert_none();
    dummy.enqueued::<greet_all>().assert_none();

    dummy.clear();
    dummy.assert_none();
    Ok(())
}

#[tokio::test]
async fn a_welcome_is_enqueued_in_the_background() -> task_core::Result<()> {
    let dummy = DummyBackend::new();
    let backends = Backends::single(Arc::new(dummy.clone()));

    tokio::spawn(async move { sign_up("Ada", &backends).await });

    let sent = dummy.wait_for::<greet>(2, Duration::from_secs(10)).await?;
    sent.with_priority(10).assert_count(1);
    Ok(())
}

#[tokio::test]
async fn a_greeting_is_there_at_once() -> task_core::Result<()> {
    let backends = Backends::single(Arc::new(ImmediateBackend::new()));

    let result = greet::new("Ada").enqueue_on(&backends).await?;
    assert_eq!(result.return_value()?, "Hello, Ada!");

    // A task that fails is no error of `enqueue`.
    let result = greet::new("").enqueue_on(&backends).await?;
    assert_eq!(result.status(), TaskStatus::Failed);
    assert_eq!(result.errors[0].failure.message, "nobody to greet");
    Ok(())
}

#[tokio::test]
async fn everything_that_signing_up_enqueues_succeeds() -> task_core::Result<()> {
    let backends = Backends::single(Arc::new(SqliteBackend::temporary().await?));

    sign_up("Ada", &backends).await?;

    let drained = drain(&backends).await?;
    drained.assert_succeeded();
    assert_eq!(drained.tasks.len(), 1, "the reminder is not due yet");
    assert_eq!(drained.tasks[0].return_value.as_deref(), Some("\"Hello, Ada!\""));
    Ok(())
}

#[tokio::test]
async fn a_reminder_comes_a_day_later() -> task_core::Result<()> {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let options = SqliteOptions::temporary()?.clock(clock.clone());
    let backends = Backends::single(Arc::new(SqliteBackend::open(options).await?));

    sign_up("Ada", &backends).await?;

    let day = Duration::from_secs(86_400);
    let drained = drain(&backends).advancing(&clock, day).await?;
    drained.assert_succeeded();
    let due: Vec<_> = drained.tasks.iter().map(|task| task.run_after).collect();
    assert_eq!(due, [None, Some(Timestamp::UNIX_EPOCH + day)]);
    Ok(())
}

#[tokio::test]
async fn greeting_nobody_is_tried_three_times() -> task_core::Result<()> {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let options = SqliteOptions::temporary()?.clock(clock.clone());
    let backends = Backends::single(Arc::new(SqliteBackend::open(options).await?));
    greet::new("").enqueue_on(&backends).await?;

    // The pauses between the attempts pass on the clock of the store, and take no time.
    let drained = drain(&backends)
        .advancing(&clock, Duration::from_secs(60))
        .await?;
    assert_eq!((drained.summary.retried, drained.summary.failed), (2, 1));

    let error = drained.check().expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    assert!(error.to_string().contains("nobody to greet"));
    Ok(())
}

#[tokio::test]
async fn a_greeting_outlives_the_worker_that_claimed_it() -> task_core::Result<()> {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let options = SqliteOptions::temporary()?.clock(clock.clone());
    let backends = Backends::single(Arc::new(SqliteBackend::open(options).await?));
    let mut result = greet::new("Ada").enqueue_on(&backends).await?;

    // A worker that claims the task, starts it, and is never heard of again.
    let lease = Duration::from_secs(30);
    let queue = backends
        .get("default")?
        .backend()
        .queue()
        .expect("SQLite has workers");
    let worker = task_core::WorkerInfo {
        id: "dying".to_owned(),
        host: "here".to_owned(),
        pid: 1,
        queues: "*".to_owned(),
        concurrency: 1,
        lease,
    };
    let claim = task_core::ClaimRequest {
        worker: queue.join(&worker).await?,
        queues: task_core::QueueSelection::default(),
        names: Arc::new(Registry::global()?.names()),
        limit: 1,
        starting: 1,
    };
    assert_eq!(queue.claim(&claim).await?.tasks.len(), 1);

    clock.advance(2 * lease);
    drain(&backends).await?.assert_succeeded();

    result.refresh().await?;
    assert_eq!(result.return_value()?, "Hello, Ada!");
    assert_eq!(result.errors[0].failure.kind, FailureKind::WorkerLost);
    Ok(())
}

/// The backends of the process are a dummy in all tests of this file.
fn dummy() -> DummyBackend {
    // Of several tests in one process one sets them up.
    let _ = Backends::single(Arc::new(DummyBackend::new())).install();
    let alias = Backends::global().and_then(|backends| backends.get("default"));
    DummyBackend::of(alias.expect("just set up")).expect("a dummy")
}

#[tokio::test]
async fn greeting_everybody_enqueues_a_greeting_for_each() {
    let dummy = dummy();

    greet_all(vec!["Grace".to_owned(), "Barbara".to_owned()]).await;

    // Other tests of the process enqueue there, too: ask for what is this test's own.
    let names = ["Grace", "Barbara"];
    let sent = dummy
        .enqueued::<greet>()
        .with(|call| names.contains(&call.name.as_str()));
    sent.on_queue("special").assert_count(2);
}

/// The blocks of Rust in a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match (line, &mut block) {
            ("```rust", None) => block = Some(String::new()),
            ("```", Some(_)) => blocks.extend(block.take()),
            (line, Some(block)) => {
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    assert!(block.is_none(), "a block does not end");
    blocks
}

#[test]
fn every_block_of_the_guide_stands_in_this_file() {
    let (page, source) = (include_str!("../docs/testing.md"), include_str!("testing.rs"));
    let blocks = blocks(page);
    assert!(blocks.len() >= 8, "{} blocks were understood", blocks.len());
    for block in blocks {
        assert!(
            source.contains(&block),
            "tests/testing.rs does not have:\n{block}"
        );
    }
}

#[test]
fn every_block_of_the_guide_to_backends_stands_in_the_example() {
    let page = include_str!("../docs/custom-backend.md");
    let source = [
        include_str!("../examples/memory-backend/src/lib.rs"),
        include_str!("../examples/memory-backend/tests/memory.rs"),
        include_str!("../examples/memory-backend/tests/settings.rs"),
        include_str!("../examples/memory-backend/src/state.rs"),
    ]
    .concat();
    let blocks = blocks(page);
    assert!(blocks.len() >= 4, "{} blocks were understood", blocks.len());
    for block in blocks {
        assert!(
            source.contains(&block),
            "examples/memory-backend does not have:\n{block}"
        );
    }
}
