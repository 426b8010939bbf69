//! How many tasks run at a time, in one worker and in several.

use std::collections::BTreeMap;
use std::time::Duration;

use task_core::{TaskStatus, Timestamp};
use task_worker::WorkerOptions;

use crate::stage::{Stage, everything, options};
use crate::system::{eventually, within};
use crate::tasks::{hand_on, hold, hold_thread, note};

/// Long enough for a worker that would start too many to do so: several of its looks.
const A_FEW_LOOKS: Duration = Duration::from_millis(300);

/// How long a task may wait for a worker that cannot run it while another one could.
const SOON: Duration = Duration::from_secs(5);

async fn runs_so_many_and_no_more(stage: &Stage, limit: usize) {
    stage.runs(limit).await;
    tokio::time::sleep(A_FEW_LOOKS).await;
    assert_eq!((stage.board.running(), stage.board.most()), (limit, limit));
    stage.board.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_tasks_run_at_a_time_as_the_worker_may_run_and_no_more() {
    let stage = Stage::new().await;
    let ids = stage
        .enqueue((0..60).map(|number| hold::new(stage.on(), number.to_string())))
        .await;
    let worker = stage.hire("worker", 8);
    runs_so_many_and_no_more(&stage, 8).await;
    for id in ids {
        stage.ends_as(id, TaskStatus::Successful).await;
    }
    assert_eq!(stage.board.most(), 8);
    assert_eq!(worker.stop().await.succeeded, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_blocking_tasks_run_at_a_time_as_the_worker_may_run_and_no_more() {
    let stage = Stage::new().await;
    let calls = (0..60).map(|number| hold_thread::new(stage.on(), number.to_string()));
    let ids = stage.enqueue(calls).await;
    let worker = stage.hire("worker", 8);
    runs_so_many_and_no_more(&stage, 8).await;
    for id in ids {
        stage.ends_as(id, TaskStatus::Successful).await;
    }
    assert_eq!(stage.board.most(), 8);
    assert_eq!(worker.stop().await.succeeded, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_arrive_one_by_one_also_fill_every_slot() {
    let stage = Stage::new().await;
    let _worker = stage.hire("worker", 8);
    for number in 0..20 {
        stage.enqueue_one(hold::new(stage.on(), number.to_string())).await;
    }
    runs_so_many_and_no_more(&stage, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_of_one_process_share_the_tasks() {
    let stage = Stage::new().await;
    let workers = [stage.hire("one", 3), stage.hire("other", 3)];
    let ids = stage
        .enqueue((0..30).map(|number| hold::new(stage.on(), number.to_string())))
        .await;
    // More than one of them may run, so both have begun.
    runs_so_many_and_no_more(&stage, 6).await;
    let mut by_worker: BTreeMap<String, u64> = BTreeMap::new();
    for id in ids {
        let record = stage.ends_as(id, TaskStatus::Successful).await;
        assert_eq!(record.attempts, 1);
        *by_worker.entry(record.worker_ids[0].clone()).or_default() += 1;
    }
    assert_eq!(stage.board.notes().len(), 30, "each ran once");
    for (worker, name) in workers.into_iter().zip(["one", "other"]) {
        assert_eq!(worker.stop().await.succeeded, by_worker[name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_worker_cannot_run_is_left_to_another() {
    let stage = Stage::new().await;
    let _slow = stage.hire("slow", 1);
    stage.enqueue_one(hold::new(stage.on(), "held")).await;
    stage.runs(1).await;
    // Nothing it runs comes to an end, so it keeps nothing in its memory.
    let ids = stage
        .enqueue((0..20).map(|number| note::new(stage.on(), number.to_string())))
        .await;
    let _other = stage.hire("other", 1);
    for id in ids {
        let record = stage.ends_as(id, TaskStatus::Successful).await;
        assert_eq!(record.worker_ids, ["other"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_memory_of_a_busy_worker_is_left_to_an_idle_one() {
    let stage = Stage::new().await;
    let _busy = stage.hire("busy", 1);
    // Quick ones make it take more than it can run, a held one keeps it from running them.
    let quick = (0..1_000).map(|number| note::new(stage.on(), number.to_string()));
    stage.enqueue(quick).await;
    stage.enqueue_one(hold::new(stage.on(), "held")).await;
    let behind = stage
        .enqueue((0..200).map(|_| note::new(stage.on(), "behind")))
        .await;
    stage.runs(1).await;
    let _idle = stage.hire("idle", 1);
    within(SOON, "the idle one to run what waits", async || {
        let mut waiting = 0;
        for id in &behind {
            waiting += usize::from(!stage.find(*id).await.status.is_finished());
        }
        if waiting == 0 {
            Ok(())
        } else {
            Err(format!("{waiting} of {} wait behind the held one", behind.len()))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_can_enqueue_tasks() {
    let stage = Stage::new().await;
    let worker = stage.hire("worker", 1);
    let id = stage.enqueue_one(hand_on::new(stage.on(), 25_u32)).await;
    let record = stage.ends_as(id, TaskStatus::Successful).await;
    assert_eq!(record.return_value.as_deref(), Some("25"));
    eventually("25 notes", async || match stage.board.notes().len() {
        25 => Ok(()),
        notes => Err(format!("{notes}")),
    })
    .await;
    assert_eq!(worker.stop().await.succeeded, 26);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_starts_a_new_task_at_once() {
    let stage = Stage::new().await;
    let rarely = WorkerOptions {
        interval: Duration::from_secs(600),
        ..options("worker", 10)
    };
    let _worker = stage.hire_with(rarely, everything());
    let first = stage.enqueue_one(note::new(stage.on(), "first")).await;
    stage.ends(first).await;
    for number in 0..5 {
        let id = stage.enqueue_one(note::new(stage.on(), number.to_string())).await;
        let record = stage.ends_as(id, TaskStatus::Successful).await;
        let started: Timestamp = record.started_at.expect("it ran");
        let waited = started.duration_since(record.enqueued_at);
        assert!(waited.as_millis() < 1_000, "{waited:?}");
    }
}
