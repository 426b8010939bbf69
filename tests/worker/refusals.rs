//! Workers that do not start, and say why.

use std::sync::Arc;
use std::time::Duration;

use task_backends::{DummyBackend, ImmediateBackend, SqliteBackend, SqliteOptions};
use task_core::{BackendAlias, Error, ErrorKind, Limits, Registry, TaskBackend, TaskStatus};
use task_worker::{Worker, WorkerOptions};

use crate::stage::{Stage, everything, options};
use crate::tasks::note;

fn refused(worker: task_core::Result<Worker>) -> Error {
    worker.expect_err("such a worker cannot start")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_a_backend_that_keeps_nothing_is_refused() {
    let backends: [Arc<dyn TaskBackend>; 2] =
        [Arc::new(DummyBackend::new()), Arc::new(ImmediateBackend::new())];
    for backend in backends {
        let kind = backend.kind();
        let alias = Arc::new(BackendAlias::new("default", backend, [], Limits::DEFAULT));
        let error = refused(Worker::new(alias, everything(), WorkerOptions::default()));
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains(kind), "{error}");
        assert!(
            error.advice().is_some_and(|advice| advice.contains("sqlite")),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_knows_no_task_is_refused_with_the_cure() {
    let stage = Stage::new().await;
    let error = refused(Worker::new(stage.alias(), Registry::new(), options("worker", 1)));
    assert_eq!(error.kind(), ErrorKind::Registry);
    assert!(
        error.to_string().contains("worker! { tasks = [your_crate] }"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn options_out_of_range_are_refused() {
    let stage = Stage::new().await;
    let good = || options("worker", 1);
    for (wrong, about) in [
        (
            WorkerOptions {
                id: String::new(),
                ..good()
            },
            "worker id",
        ),
        (
            WorkerOptions {
                id: "w".repeat(65),
                ..good()
            },
            "worker id",
        ),
        (
            WorkerOptions {
                id: "a\0b".to_owned(),
                ..good()
            },
            "control characters",
        ),
        (
            WorkerOptions {
                concurrency: 0,
                ..good()
            },
            "concurrency",
        ),
        (
            WorkerOptions {
                lease: Duration::from_millis(99),
                ..good()
            },
            "lease",
        ),
        (
            WorkerOptions {
                interval: Duration::ZERO,
                ..good()
            },
            "interval",
        ),
    ] {
        let error = refused(Worker::new(stage.alias(), everything(), wrong));
        assert_eq!(error.kind(), ErrorKind::Settings);
        assert!(error.message().contains(about), "{error}");
    }
    let longest = WorkerOptions {
        id: "w".repeat(64),
        ..good()
    };
    Worker::new(stage.alias(), everything(), longest).expect("64 bytes are not too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_for_a_queue_the_backend_does_not_list_is_refused_naming_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backend = SqliteBackend::open(SqliteOptions::new(folder.path().join("tasks.db"))).await;
    let backend = Arc::new(backend.expect("a new file"));
    let queues = ["mail".to_owned()];
    let alias = Arc::new(BackendAlias::new("default", backend, queues, Limits::DEFAULT));
    let mut registry = Registry::new();
    registry.add::<note>().expect("a free name");
    let error = refused(Worker::new(alias, registry, options("worker", 1)));
    assert_eq!(error.kind(), ErrorKind::InvalidTask);
    let text = error.to_string();
    assert!(
        text.contains("`default`") && text.contains("worker/tasks.rs:"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_worker_of_one_name_is_refused_while_the_first_lives() {
    let stage = Stage::new().await;
    let first = stage.hire("twin", 1);
    let id = stage.enqueue_one(note::new(stage.on(), "first")).await;
    stage.ends_as(id, TaskStatus::Successful).await;
    let mut second = stage.hire("twin", 1);
    let error = second.ended().await.expect_err("the name is taken");
    assert_eq!(error.kind(), ErrorKind::State);
    let text = error.to_string();
    assert!(text.contains("`twin` is alive already"), "{text}");
    assert!(
        text.contains(&std::process::id().to_string()) && text.contains("--worker-id"),
        "{text}"
    );

    // The first one is none the worse, and once it has left the name is free.
    let id = stage.enqueue_one(note::new(stage.on(), "second")).await;
    stage.ends_as(id, TaskStatus::Successful).await;
    first.stop().await;
    let _third = stage.hire("twin", 1);
    let id = stage.enqueue_one(note::new(stage.on(), "third")).await;
    stage.ends_as(id, TaskStatus::Successful).await;
}
