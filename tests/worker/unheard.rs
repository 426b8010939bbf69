//! Tasks that end without having been run to their end: `task_finished` is sent for them once,
//! by the process that ended them.

use conformance::Heard;
use conformance::executions::{gated, record};
use task_core::signals::TASK_FINISHED;
use task_core::{FailureKind, TaskId, TaskRecord, TaskStatus, queue};
use task_worker::{Shutdown, Worker, WorkerOptions};

use crate::stage::{Stage, everything, options};
use crate::system::{Place, eventually};
use crate::tasks::{hold, note};

/// A queue whose signals no other test hears.
fn own_queue() -> String {
    format!("queue-{}", TaskId::new())
}

/// The only record that was heard, once there is one.
async fn only(heard: &Heard) -> TaskRecord {
    eventually("a signal", async || {
        if heard.records().is_empty() {
            Err("nothing".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    let [record] = &heard.records()[..] else {
        panic!("sent once: {:?}", heard.records());
    };
    record.clone()
}

/// A worker of this process at a place that other processes share, until `done` has been awaited.
async fn with_worker_here(place: &Place, done: impl AsyncFnOnce()) {
    let alias = place.backends().get("default").expect("the only one").clone();
    let options = WorkerOptions {
        lease: std::time::Duration::from_secs(1),
        ..options("here", 10)
    };
    let worker = Worker::new(alias, everything(), options).expect("a worker like any other");
    let shutdown = Shutdown::new();
    let running = tokio::spawn(worker.run(shutdown.clone()));
    done().await;
    shutdown.stop();
    running.await.expect("it does not panic").expect("it ends well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_because_its_worker_was_lost() {
    let place = Place::new().await;
    let own = own_queue();
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let call = gated::new(1, "never").using(queue(own).max_lost(0));
    let id = place.enqueue([call]).await[0];
    let mut lost = place.worker("lost", &["--lease", "1s"]);
    place.ledger().reaches(1).await;
    lost.kill();
    with_worker_here(&place, async || {
        let heard = only(&finished).await;
        assert_eq!((heard.id, heard.status), (id, TaskStatus::Failed));
        assert_eq!(heard.errors[0].failure.kind, FailureKind::WorkerLost);
        assert_eq!(heard, place.find(id).await, "the store has it");
    })
    .await;
    only(&finished).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_which_something_is_damaged() {
    let place = Place::new().await;
    let own = own_queue();
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let id = place.enqueue([record::new(1).using(queue(own))]).await[0];
    let mut sql = place.sql().await;
    sql.run("UPDATE task SET policy = 'x'").await;
    sql.close().await;
    with_worker_here(&place, async || {
        let heard = only(&finished).await;
        assert_eq!((heard.id, heard.status), (id, TaskStatus::Failed));
        assert_eq!(heard.errors[0].failure.kind, FailureKind::Damaged);
    })
    .await;
    only(&finished).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_task_that_is_canceled() {
    let stage = Stage::new().await;
    let own = own_queue();
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let id = stage
        .enqueue_one(note::new(stage.on(), "never").using(queue(own)))
        .await;
    stage.cancel(id).await;
    // It has ended: nothing is changed, and nothing said.
    stage.cancel(id).await;
    let heard = only(&finished).await;
    assert_eq!((heard.id, heard.status), (id, TaskStatus::Canceled));
    assert_eq!(heard, stage.find(id).await, "the store has it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_must_not_run_twice_and_is_given_back() {
    let stage = Stage::new().await;
    let own = own_queue();
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let call = hold::new(stage.on(), "x").using(queue(own).max_lost(0));
    let id = stage.enqueue_one(call).await;
    let worker = stage.hire("worker", 1);
    stage.runs(1).await;
    worker.shutdown.force();
    worker.stop().await;
    let heard = only(&finished).await;
    assert_eq!((heard.id, heard.status), (id, TaskStatus::Failed));
    assert_eq!(heard.errors[0].failure.kind, FailureKind::Interrupted);
}
