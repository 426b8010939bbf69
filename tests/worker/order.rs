//! Which tasks a worker takes, and in which order.

use std::collections::BTreeSet;
use std::time::Duration;

use task_core::{
    Backoff, QueueSelection, Registry, TaskOptions, TaskStatus, Timestamp, priority, queue, run_after,
};
use task_worker::WorkerOptions;

use crate::stage::{NOTE, Stage, everything, options};
use crate::tasks::{hold, note, renamed};

/// How late a task may start.
const LATE: Duration = Duration::from_secs(1);

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn taking(only: Option<&[&str]>, except: &[&str]) -> WorkerOptions {
    WorkerOptions {
        queues: QueueSelection {
            only: only.map(names),
            except: names(except),
        },
        batch: true,
        ..options("worker", 10)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_task_waits_for_a_worker_that_knows_it() {
    let stage = Stage::new().await;
    let known = stage.enqueue_one(note::new(stage.on(), "known")).await;
    let unknown = stage.enqueue_one(hold::new(stage.on(), "unknown")).await;
    let nobodys = stage.enqueue_raw("elsewhere::task", "{}").await;
    stage.board.open();
    let mut knows_one = Registry::new();
    knows_one.add::<note>().expect("a free name");
    let mut first = stage.hire_with(taking(None, &[]), knows_one);
    let summary = first.ended().await.expect("it ends well");
    assert_eq!(summary.started, 1);
    stage.ends_as(known, TaskStatus::Successful).await;
    for id in [unknown, nobodys] {
        let record = stage.find(id).await;
        assert_eq!((record.status, record.attempts), (TaskStatus::Ready, 0));
    }

    let _knows_more = stage.hire("second", 10);
    stage.ends_as(unknown, TaskStatus::Successful).await;
    let record = stage.find(nobodys).await;
    assert_eq!((record.status, record.attempts), (TaskStatus::Ready, 0));
    assert_eq!(stage.board.notes(), ["known", "unknown"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_under_its_former_name() {
    let stage = Stage::new().await;
    let arguments = format!(r#"{{"on": "{}", "text": "former"}}"#, stage.on);
    let former = stage.enqueue_raw("worker::former", &arguments).await;
    let present = stage.enqueue_one(renamed::new(stage.on(), "present")).await;
    let _worker = stage.hire("worker", 1);
    let record = stage.ends_as(former, TaskStatus::Successful).await;
    assert_eq!(&*record.name, "worker::former", "what was stored stays");
    let record = stage.ends_as(present, TaskStatus::Successful).await;
    assert_eq!(&*record.name, "worker::present");
    assert_eq!(stage.board.notes(), ["former", "present"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_only_from_its_queues() {
    let stage = Stage::new().await;
    let queues = ["mail", "reports", "mail", "pictures", "default"];
    let calls = queues.map(|name| note::new(stage.on(), name).using(queue(name)));
    stage.enqueue(calls).await;
    for (options, expected) in [
        (taking(Some(&["mail"]), &[]), &["mail", "mail"][..]),
        (taking(Some(&["nobody"]), &[]), &[]),
        (taking(None, &["default", "mail"]), &["reports", "pictures"]),
        (taking(Some(&[]), &[]), &[]),
        (taking(Some(&["default", "reports"]), &[]), &["default"]),
    ] {
        let before = stage.board.notes().len();
        let mut worker = stage.hire_with(options.clone(), everything());
        let summary = worker.ended().await.expect("it ends well");
        let new = &stage.board.notes()[before..];
        let sorted = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.join(" ")
        };
        let seen = sorted(new.iter().map(String::as_str).collect());
        assert_eq!(seen, sorted(expected.to_vec()), "{}", options.queues);
        assert_eq!(summary.started, expected.len() as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_runs_by_priority_and_then_by_arrival() {
    let stage = Stage::new().await;
    let priorities = [0, -100, 50, 0, 100, 50, -1, 0];
    let calls = priorities.iter().enumerate().map(|(arrival, wanted)| {
        note::new(stage.on(), format!("{wanted} {arrival}")).using(priority(*wanted))
    });
    stage.enqueue(calls).await;
    // Another name and another queue are in the same order.
    let other = renamed::new(stage.on(), "50 other").using(priority(50).queue("another"));
    stage.enqueue_one(other).await;
    let worker = WorkerOptions {
        batch: true,
        ..options("worker", 1)
    };
    let mut worker = stage.hire_with(worker, everything());
    worker.ended().await.expect("it ends well");
    assert_eq!(
        stage.board.notes(),
        [
            "100 4", "50 2", "50 5", "50 other", "0 0", "0 3", "0 7", "-1 6", "-100 1"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_task_overtakes_many_that_wait_in_the_store() {
    let stage = Stage::new().await;
    let worker = WorkerOptions {
        prefetch: 0,
        ..options("worker", 1)
    };
    let _worker = stage.hire_with(worker, everything());
    stage.enqueue_one(hold::new(stage.on(), "held")).await;
    stage.runs(1).await;
    stage
        .enqueue((0..50).map(|_| note::new(stage.on(), "patient")))
        .await;
    let urgent = note::new(stage.on(), "urgent").using(priority(100));
    let urgent = stage.enqueue_one(urgent).await;
    stage.board.open();
    stage.ends_as(urgent, TaskStatus::Successful).await;
    assert_eq!(stage.board.notes()[..2], ["held", "urgent"]);
}

async fn starts_when_due(stage: &Stage, delays_ms: &[u64]) {
    let calls = delays_ms
        .iter()
        .map(|ms| note::new(stage.on(), ms.to_string()).using(run_after(Duration::from_millis(*ms))));
    let ids = stage.enqueue(calls).await;
    for id in ids {
        let record = stage.ends_as(id, TaskStatus::Successful).await;
        let due = record.run_after.expect("it was scheduled");
        let started = record.started_at.expect("it ran");
        let late = started.duration_since(due);
        println!("{} started {late:?} after it was due", record.arguments);
        assert!(started >= due, "{late:?}");
        assert!(late.unsigned_abs() < LATE, "{late:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_tasks_start_when_they_are_due() {
    let stage = Stage::new().await;
    let _worker = stage.hire("worker", 10);
    starts_when_due(&stage, &[1_200, 300, 600]).await;
    assert_eq!(stage.board.notes(), ["300", "600", "1200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_tasks_start_when_they_are_due_though_the_worker_looks_rarely() {
    let stage = Stage::new().await;
    let worker = WorkerOptions {
        interval: Duration::from_secs(600),
        lease: Duration::from_secs(600),
        ..options("worker", 10)
    };
    let _worker = stage.hire_with(worker, everything());
    starts_when_due(&stage, &[700, 300]).await;
    starts_when_due(&stage, &[200]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_time_in_the_past_is_now() {
    let stage = Stage::new().await;
    let past = note::new(stage.on(), "past").using(run_after(Timestamp::UNIX_EPOCH));
    let id = stage.enqueue_one(past).await;
    let _worker = stage.hire("worker", 10);
    let record = stage.ends_as(id, TaskStatus::Successful).await;
    assert_eq!(record.run_after, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_waits_for_its_time_while_others_run() {
    let stage = Stage::new().await;
    let options = TaskOptions::default()
        .backoff(Backoff::exponential(Duration::from_secs(3_600), Duration::from_secs(3_600)).jitter());
    let failing = crate::tasks::fail_at_first::new(1_u32).using(options);
    let failing = stage.enqueue_one(failing).await;
    let worker = stage.hire("worker", 1);
    let other = stage.enqueue_one(note::new(stage.on(), "other")).await;
    stage.ends_as(other, TaskStatus::Successful).await;
    let summary = worker.stop().await;
    assert_eq!((summary.started, summary.retried), (2, 1));
    let record = stage.find(failing).await;
    assert_eq!((record.status, record.attempts), (TaskStatus::Ready, 1));
    assert_eq!(NOTE, "worker::note");
}
