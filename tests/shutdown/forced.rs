//! The second signal, and the end of the patience after the first: what runs goes back at once.

use std::time::Duration;

use conformance::executions::{gated, gated_thread};
use task_core::{FailureKind, TaskId, TaskOptions, TaskRecord, TaskStatus};

use crate::system::{Kind, PATIENCE, Place, Process, Signal, on_every_store};

/// So long that nothing below can have waited for it.
const LEASE: [&str; 2] = ["--lease", "10m"];

/// What "at once" means on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A worker in the middle of the only task there is, which ends by itself when its gate is open.
async fn in_the_middle(place: &Place, flags: &[&str]) -> (Process, TaskId) {
    let id = place.enqueue([gated::new(1, "end")]).await[0];
    let worker = place.worker("first", &[&LEASE[..], flags].concat());
    place.ledger().reaches(1).await;
    (worker, id)
}

fn assert_interrupted(record: &TaskRecord, status: TaskStatus) {
    assert_eq!(record.status, status, "{record:?}");
    let [error] = record.errors.as_slice() else {
        panic!("one interrupted attempt is kept: {record:?}");
    };
    assert_eq!(error.failure.kind, FailureKind::Interrupted);
    assert_eq!((error.worker_id.as_str(), error.attempt), ("first", 1));
}

/// Another worker runs it to its end, though it has one attempt only: it was not its fault.
async fn ends_elsewhere(place: &Place, id: TaskId) {
    place.open_gate("end", None);
    let second = place.worker("second", &LEASE);
    let record = place.becomes(id, TaskStatus::Successful).await;
    assert_eq!(record.policy.max_attempts, 1);
    assert_interrupted(&record, TaskStatus::Successful);
    assert_eq!(record.worker_ids, ["first", "second"]);
    assert_eq!(record.return_value, Some(second.pid().to_string()));
    assert_eq!(place.ledger().len(), 2);
    place.assert_clean().await;
}

async fn a_second_signal_gives_what_runs_back_at_once_and_the_worker_exits_with_1(kind: Kind) {
    let place = Place::on(kind).await;
    let (mut worker, id) = in_the_middle(&place, &[]).await;
    worker.send(Signal::TERM);
    worker.says("received SIGTERM").await;
    assert_eq!(place.find(id).await.status, TaskStatus::Running);
    worker.send(Signal::INT);
    worker.says("received SIGINT again").await;
    assert_eq!(worker.exits_within(AT_ONCE).await, 1);
    assert_interrupted(&place.find(id).await, TaskStatus::Ready);
    place.workers_join(0).await;
    ends_elsewhere(&place, id).await;
}

async fn after_the_stop_timeout_what_runs_goes_back_and_the_worker_exits_with_0(kind: Kind) {
    let place = Place::on(kind).await;
    let (mut worker, id) = in_the_middle(&place, &["--stop-timeout", "500ms"]).await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(AT_ONCE).await, 0);
    worker.says("giving back what did not end in time").await;
    assert_interrupted(&place.find(id).await, TaskStatus::Ready);
    ends_elsewhere(&place, id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_blocks_its_thread_does_not_keep_a_forced_worker() {
    let place = Place::new().await;
    let id = place.enqueue([gated_thread::new(1, "end")]).await[0];
    let mut worker = place.worker("first", &LEASE);
    place.ledger().reaches(1).await;
    worker.send(Signal::QUIT);
    worker.says("received SIGQUIT").await;
    worker.send(Signal::QUIT);
    assert_eq!(worker.exits_within(AT_ONCE).await, 1);
    assert_interrupted(&place.find(id).await, TaskStatus::Ready);
    ends_elsewhere(&place, id).await;
}

async fn a_task_that_may_not_run_twice_is_failed_when_its_worker_is_forced(kind: Kind) {
    let place = Place::on(kind).await;
    let once = TaskOptions::default().max_lost(0);
    let id = place.enqueue([gated::new(1, "end").using(once)]).await[0];
    let mut worker = place.worker("first", &LEASE);
    place.ledger().reaches(1).await;
    worker.send(Signal::TERM);
    worker.says("received SIGTERM").await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(AT_ONCE).await, 1);
    assert_interrupted(&place.find(id).await, TaskStatus::Failed);
    place.open_gate("end", None);
    let mut second = place.worker("second", &["--batch"]);
    assert_eq!(second.exits_within(PATIENCE).await, 0);
    assert_eq!(place.ledger().len(), 1);
    place.assert_clean().await;
}

async fn many_running_tasks_go_back_together(kind: Kind) {
    const RUNNING: u32 = 100;
    let place = Place::on(kind).await;
    let ids = place
        .enqueue((0..RUNNING).map(|number| gated::new(number, "end")))
        .await;
    let mut worker = place.worker("first", &LEASE);
    place.ledger().reaches(ids.len()).await;
    worker.send(Signal::TERM);
    worker.says("received SIGTERM").await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(AT_ONCE).await, 1);
    for id in &ids {
        assert_interrupted(&place.find(*id).await, TaskStatus::Ready);
    }
    place.open_gate("end", None);
    let mut second = place.worker("second", &["--batch"]);
    assert_eq!(second.exits_within(PATIENCE).await, 0);
    let ledger = place.ledger().read();
    for id in &ids {
        assert_eq!(ledger.of(&id.to_string()), [worker.pid(), second.pid()]);
    }
    place.assert_clean().await;
}

on_every_store! {
    a_second_signal_gives_what_runs_back_at_once_and_the_worker_exits_with_1,
    after_the_stop_timeout_what_runs_goes_back_and_the_worker_exits_with_0,
    a_task_that_may_not_run_twice_is_failed_when_its_worker_is_forced,
    many_running_tasks_go_back_together,
}
