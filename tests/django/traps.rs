//! What harms a worker of django-tasks, done to theirs and to ours.

use std::sync::Arc;

use serde_json::{Value, json};
use task_backends::{SqliteBackend, SqliteOptions};
use task_core::signals::{TASK_FINISHED, TASK_STARTED};
use task_core::{BackendAlias, Limits, NewTask, RetryPolicy, Task, TaskBackend, TaskId};
use task_worker::{Shutdown, Worker, WorkerOptions};

use super::tasks::{delete_own_row, echo, registry};
use super::theirs;

const STARTED: &str = "a receiver of task_started raises";
const FINISHED: &str = "a receiver of task_finished raises";
const AGAIN: &str = "a receiver of task_finished raises again";
const UNLISTED: &str = "a queue that is not listed any more";
const SHAPE: &str = "arguments of another shape";
const DELETED: &str = "a row that is deleted while its task runs";
const GONE: &str = "a function that is gone";

/// What became of the worker, of the task that is the trap, and of the one behind it.
type End = [&'static str; 3];

/// Each trap, what it does there, and what it does here. The guide has them under the same names.
const TRAPS: [(&str, End, End); 7] = [
    (
        STARTED,
        ["ended well", "FAILED", "SUCCESSFUL"],
        ["ended well", "SUCCESSFUL", "SUCCESSFUL"],
    ),
    (
        FINISHED,
        ["ended well", "FAILED", "SUCCESSFUL"],
        ["ended well", "SUCCESSFUL", "SUCCESSFUL"],
    ),
    (
        AGAIN,
        ["died", "FAILED", "READY"],
        ["ended well", "SUCCESSFUL", "SUCCESSFUL"],
    ),
    (
        UNLISTED,
        ["died", "FAILED", "READY"],
        ["ended well", "SUCCESSFUL", "SUCCESSFUL"],
    ),
    (
        SHAPE,
        ["died", "FAILED", "READY"],
        ["ended well", "FAILED", "SUCCESSFUL"],
    ),
    (
        DELETED,
        ["died", "gone", "READY"],
        ["ended well", "gone", "SUCCESSFUL"],
    ),
    (
        GONE,
        ["ended well", "FAILED", "SUCCESSFUL"],
        ["ended well", "READY", "SUCCESSFUL"],
    ),
];

fn task(priority: i32) -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: echo::ENTRY.name().into(),
        queue: "default".into(),
        priority,
        run_after: None,
        arguments: json!({ "text": "x" }).to_string().into(),
        policy: RetryPolicy::DEFAULT,
        metadata: None,
        unique: None,
    }
}

async fn status_of(backend: &SqliteBackend, id: TaskId) -> &'static str {
    let found = backend.find(id).await.expect("the store can be asked");
    found.map_or("gone", |record| record.status.as_str())
}

/// Puts a trap before a task like any other and lets a worker run into it.
async fn spring(trap: &str) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tasks.db");
    let backend = SqliteBackend::open(SqliteOptions::new(&file)).await;
    let backend = Arc::new(backend.expect("a new file"));
    let (mut first, neighbour) = (task(1), task(0));
    match trap {
        UNLISTED => first.queue = "former".into(),
        SHAPE => first.arguments = "{}".into(),
        GONE => first.name = "django::gone".into(),
        DELETED => {
            first.name = delete_own_row::ENTRY.name().into();
            first.arguments = json!({ "file": file }).to_string().into();
        }
        _ => {}
    }
    let ids = [first.id, neighbour.id];
    let signal = match trap {
        STARTED => Some(&TASK_STARTED),
        FINISHED | AGAIN => Some(&TASK_FINISHED),
        _ => None,
    };
    let panicking = signal.map(|signal| {
        signal.connect(move |record| {
            if record.id == ids[0] {
                panic!("a receiver's own trouble");
            }
        })
    });
    let stored = backend.enqueue(vec![first, neighbour]).await;
    stored.expect("the store takes what it is given");

    let queues = ["default", "sums"].map(str::to_owned);
    let alias = BackendAlias::new("default", backend.clone(), queues, Limits::DEFAULT);
    let options = WorkerOptions {
        concurrency: 1,
        batch: true,
        ..WorkerOptions::default()
    };
    let worker = Worker::new(Arc::new(alias), registry(), options).expect("a worker like any other");
    let ended = tokio::spawn(worker.run(Shutdown::new())).await;
    drop(panicking);
    let ended = if matches!(ended, Ok(Ok(_))) {
        "ended well"
    } else {
        "died"
    };
    let [first, neighbour] = [
        status_of(&backend, ids[0]).await,
        status_of(&backend, ids[1]).await,
    ];
    backend.close().await;
    told([ended, first, neighbour])
}

fn told([worker, task, neighbour]: End) -> Value {
    json!({ "worker": worker, "task": task, "neighbour": neighbour })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_harms_a_worker_there_harms_nobody_here() {
    let there = theirs::traps();
    assert_eq!(there.as_object().map(serde_json::Map::len), Some(TRAPS.len()));
    for (trap, theirs, ours) in TRAPS {
        assert_eq!(there[trap], told(theirs), "there: {trap}");
        assert_eq!(spring(trap).await, told(ours), "here: {trap}");
    }
}

#[test]
fn every_trap_is_told_in_the_guide() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/django-tasks.md");
    let guide = std::fs::read_to_string(path).expect("the guide is there");
    for (trap, theirs, ours) in TRAPS {
        let cell =
            |[worker, task, neighbour]: End| format!("worker {worker}, task {task}, next one {neighbour}");
        let row = format!("| {trap} | {} | {} |", cell(theirs), cell(ours));
        assert!(guide.contains(&row), "the guide has no row {row}");
    }
}
