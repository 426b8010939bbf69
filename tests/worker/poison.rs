//! Rows that no program of ours would write, and what becomes of a worker that meets them: nothing.

use std::sync::Arc;

use task_backends::{SqliteBackend, SqliteOptions};
use task_core::{BackendAlias, Limits, Registry, TaskOptions, TaskStatus};
use task_worker::{Shutdown, Worker};

use crate::stage::{NOTE, Stage, options};
use crate::system::Sql;
use crate::tasks::{hold, note};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_in_a_queue_the_settings_do_not_list_any_more_runs_like_any_other() {
    let stage = Stage::new().await;
    let former = TaskOptions::default().queue("former");
    let former = stage
        .enqueue_one(note::new(stage.on(), "former").using(former))
        .await;
    let listed = stage.enqueue_one(note::new(stage.on(), "listed")).await;
    let backend = SqliteBackend::open(SqliteOptions::new(stage.file())).await;
    let backend = Arc::new(backend.expect("the same file"));
    let queues = ["default".to_owned()];
    let alias = Arc::new(BackendAlias::new("default", backend, queues, Limits::DEFAULT));
    let mut registry = Registry::new();
    registry.add::<note>().expect("a free name");
    let worker = Worker::new(alias, registry, options("worker", 1)).expect("its own tasks fit");
    let shutdown = Shutdown::new();
    let running = tokio::spawn(worker.run(shutdown.clone()));
    for id in [former, listed] {
        stage.ends_as(id, TaskStatus::Successful).await;
    }
    shutdown.stop();
    let summary = running.await.expect("it does not panic").expect("it ends well");
    assert_eq!((summary.succeeded, summary.failed), (2, 0));
    assert_eq!(stage.board.notes(), ["former", "listed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_deleted_while_it_runs_harms_neither_its_worker_nor_its_neighbours() {
    let stage = Stage::new().await;
    let deleted = stage.enqueue_one(hold::new(stage.on(), "deleted")).await;
    let neighbour = stage.enqueue_one(hold::new(stage.on(), "neighbour")).await;
    let worker = stage.hire("worker", 2);
    stage.runs(2).await;

    let mut sql = Sql::open(&stage.file()).await;
    sql.run("DELETE FROM task WHERE seq = (SELECT min(seq) FROM task)")
        .await;
    sql.close().await;
    let gone = stage.alias().record(deleted).await;
    gone.expect_err("it was deleted");
    stage.board.open();

    stage.ends_as(neighbour, TaskStatus::Successful).await;
    let after = stage.enqueue_one(note::new(stage.on(), "after")).await;
    stage.ends_as(after, TaskStatus::Successful).await;
    worker.stop().await;
    stage
        .alias()
        .record(deleted)
        .await
        .expect_err("it does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_of_the_wrong_shape_fail_their_task_and_the_worker_goes_on() {
    let stage = Stage::new().await;
    // The shape that django-tasks stores, and half of it.
    let mut wrong = Vec::new();
    for arguments in [r#"{"args": [], "kwargs": {}}"#, r#"{"args": []}"#, "[]"] {
        wrong.push(stage.enqueue_raw(NOTE, arguments).await);
    }
    let after = stage.enqueue_one(note::new(stage.on(), "after")).await;
    let worker = stage.hire("worker", 1);
    for id in wrong {
        let record = stage.ends_as(id, TaskStatus::Failed).await;
        assert!(
            record.errors[0].failure.message.contains("do not fit"),
            "{record:?}"
        );
    }
    stage.ends_as(after, TaskStatus::Successful).await;
    assert_eq!(worker.stop().await.failed, 3);
}
