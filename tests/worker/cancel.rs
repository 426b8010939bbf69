//! Tasks that somebody wants to end while they run.

use std::time::{Duration, Instant};

use task_core::{CANCEL_GRACE, Cancellation, FailureKind, Task, TaskCall, TaskRecord, TaskStatus};
use task_worker::WorkerOptions;

use crate::stage::{A_HEARTBEAT, Stage, everything, options};
use crate::system::{eventually, within};
use crate::tasks::{end_when_told, hold, hold_thread, never_listen, note, save_when_told};

/// Runs this, cancels it while it runs and returns how it ended, and how quickly.
async fn cancel_running<T: Task>(stage: &Stage, call: TaskCall<T>) -> (TaskRecord, Duration) {
    let id = stage.enqueue_one(call).await;
    stage.runs(1).await;
    let began = Instant::now();
    assert_eq!(stage.cancel(id).await, Cancellation::Requested);
    (stage.ends(id).await, began.elapsed())
}

fn assert_canceled(record: &TaskRecord) {
    assert_eq!(
        (record.status, record.attempts),
        (TaskStatus::Canceled, 1),
        "{record:?}"
    );
    let kinds: Vec<_> = record.errors.iter().map(|error| error.failure.kind).collect();
    assert_eq!(kinds, [FailureKind::Canceled]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cooperative_task_ends_by_itself_within_a_heartbeat() {
    let stage = Stage::new().await;
    let worker = stage.hire("worker", 10);
    let (record, took) = cancel_running(&stage, end_when_told::new(stage.on())).await;
    assert_canceled(&record);
    assert_eq!(record.errors[0].failure.message, "told to stop");
    assert_eq!(stage.board.notes(), ["told"]);
    assert!(took < A_HEARTBEAT, "{took:?}");
    assert_eq!(worker.stop().await.canceled, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_task_is_dropped_within_a_heartbeat() {
    let stage = Stage::new().await;
    let _worker = stage.hire("worker", 10);
    let (record, took) = cancel_running(&stage, hold::new(stage.on(), "held")).await;
    assert_canceled(&record);
    assert_eq!(stage.board.running(), 0, "its future is gone");
    assert!(took < A_HEARTBEAT, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_task_is_canceled_at_once_and_what_its_thread_returns_is_thrown_away() {
    let stage = Stage::new().await;
    let _worker = stage.hire("worker", 2);
    let (record, took) = cancel_running(&stage, hold_thread::new(stage.on(), "held")).await;
    assert_canceled(&record);
    assert!(took < A_HEARTBEAT, "{took:?}");
    assert_eq!(stage.board.running(), 1, "nothing can end a thread");
    // Its slot stays taken, the other one goes on.
    let next = stage.enqueue_one(note::new(stage.on(), "next")).await;
    stage.ends_as(next, TaskStatus::Successful).await;

    stage.board.open();
    eventually("the end of the thread", async || {
        let notes = stage.board.notes();
        if notes.iter().any(|note| note == "the thread ended") {
            Ok(())
        } else {
            Err(format!("{notes:?}"))
        }
    })
    .await;
    let last = stage.enqueue_one(note::new(stage.on(), "last")).await;
    stage.ends_as(last, TaskStatus::Successful).await;
    assert_eq!(stage.find(record.id).await, record);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_returns_a_value_when_told_is_successful() {
    let stage = Stage::new().await;
    let _worker = stage.hire("worker", 10);
    let (record, took) = cancel_running(&stage, save_when_told::new(stage.on())).await;
    assert_eq!(
        (record.status, record.return_value.as_deref()),
        (TaskStatus::Successful, Some("\"saved\""))
    );
    assert!(took < A_HEARTBEAT, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_does_not_listen_is_dropped_when_its_grace_is_over() {
    let stage = Stage::new().await;
    let _worker = stage.hire("worker", 10);
    let (record, took) = cancel_running(&stage, never_listen::new(stage.on())).await;
    assert_canceled(&record);
    assert!(
        took >= CANCEL_GRACE && took < CANCEL_GRACE + A_HEARTBEAT,
        "{took:?}"
    );
    assert_eq!(stage.board.running(), 0, "its future is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_heard_within_a_heartbeat_though_the_worker_looks_rarely() {
    let stage = Stage::new().await;
    let rarely = WorkerOptions {
        interval: Duration::from_secs(600),
        ..options("worker", 10)
    };
    let _worker = stage.hire_with(rarely, everything());
    for round in 0..3 {
        let (record, took) = cancel_running(&stage, hold::new(stage.on(), "held")).await;
        assert_canceled(&record);
        assert!(took < A_HEARTBEAT, "round {round}: {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_canceled_one_of_many_running_tasks_ends() {
    let stage = Stage::new().await;
    let worker = stage.hire("worker", 20);
    let ids = stage
        .enqueue((0..20).map(|number| hold::new(stage.on(), number.to_string())))
        .await;
    stage.runs(20).await;
    assert_eq!(stage.cancel(ids[7]).await, Cancellation::Requested);
    assert_canceled(&stage.ends(ids[7]).await);
    assert_eq!(stage.board.running(), 19);
    stage.board.open();
    for id in ids.iter().filter(|id| **id != ids[7]) {
        stage.ends_as(*id, TaskStatus::Successful).await;
    }
    let summary = worker.stop().await;
    assert_eq!((summary.succeeded, summary.canceled), (19, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_canceled_in_the_memory_of_its_worker_is_never_run() {
    let stage = Stage::new().await;
    let _worker = stage.hire("worker", 1);
    // Quick ones make the worker take more than it can run, a held one keeps it from running them.
    let quick = (0..1_000).map(|number| note::new(stage.on(), number.to_string()));
    stage.enqueue(quick).await;
    stage.enqueue_one(hold::new(stage.on(), "held")).await;
    let behind = stage
        .enqueue((0..20).map(|_| note::new(stage.on(), "behind")))
        .await;
    stage.runs(1).await;
    eventually("a task in the worker's memory", async || {
        match stage.find(behind[0]).await.status {
            TaskStatus::Running => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    assert_eq!(stage.cancel(behind[0]).await, Cancellation::Requested);

    let canceled = within(
        2 * A_HEARTBEAT,
        "the end of a task that did not begin",
        async || {
            let record = stage.find(behind[0]).await;
            if record.status.is_finished() {
                Ok(record)
            } else {
                Err(format!("{record:?}"))
            }
        },
    )
    .await;
    assert_eq!((canceled.status, canceled.attempts), (TaskStatus::Canceled, 0));
    stage.board.open();
    for id in &behind[1..] {
        stage.ends_as(*id, TaskStatus::Successful).await;
    }
    assert_eq!(
        stage
            .board
            .notes()
            .iter()
            .filter(|note| *note == "behind")
            .count(),
        19
    );
}
