//! The first signal: what runs comes to its end, the rest goes to others at once.

use std::time::{Duration, Instant};

use conformance::executions::gated;
use task_core::TaskStatus;

use crate::system::{Kind, PATIENCE, Place, Signal, on_every_store};

/// So long that nothing below can have waited for it.
const LEASE: [&str; 2] = ["--lease", "10m"];

/// What "at once" means on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

/// What "the worker was idle" means: it has nothing to wait for.
const IDLE: Duration = Duration::from_secs(1);

async fn finishes_what_runs_and_gives_the_rest_back_at_once(kind: Kind, signal: Signal, name: &str) {
    let place = Place::on(kind).await;
    // Quick ones make the worker take more than it can run, slow ones keep it from running them.
    let quick = place.enqueue_records(1_000).await;
    let running = place
        .enqueue((0..2).map(|number| gated::new(number, "end")))
        .await;
    let waiting = place.enqueue_records(300).await;
    let mut first = place.worker("first", &[&LEASE[..], &["--concurrency", "2"]].concat());
    place.ledger().reaches(quick.len() + running.len()).await;
    let held = place.runs_and_holds_more(quick.len(), running.len()).await;

    first.send(signal);
    let began = Instant::now();
    let mut second = place.worker("second", &LEASE);
    first.says(&format!("received {name}")).await;
    place.ledger().reaches_by(second.pid(), waiting.len()).await;
    println!(
        "{held} waiting tasks were run by another one within {:?}",
        began.elapsed()
    );
    assert!(began.elapsed() < AT_ONCE);
    second.send(signal);
    assert_eq!(second.exits_within(PATIENCE).await, 0);
    assert!(first.is_alive(), "it waits for what runs");

    place.open_gate("end", None);
    assert_eq!(first.exits_within(AT_ONCE).await, 0);
    for id in quick.iter().chain(&running) {
        let record = place.find(*id).await;
        assert_eq!(
            (record.status, record.attempts),
            (TaskStatus::Successful, 1),
            "{record:?}"
        );
        assert_eq!(record.worker_ids, ["first"]);
    }
    for id in waiting {
        let record = place.find(id).await;
        assert_eq!(
            (record.status, record.attempts),
            (TaskStatus::Successful, 1),
            "{record:?}"
        );
        assert_eq!(
            (record.worker_ids, record.errors.len()),
            (vec!["second".to_owned()], 0)
        );
    }
    place.assert_exact(&[]).await;
    place.assert_clean().await;
    place.workers_join(0).await;
}

async fn at_sigterm_running_tasks_end_and_others_are_given_back_at_once(kind: Kind) {
    finishes_what_runs_and_gives_the_rest_back_at_once(kind, Signal::TERM, "SIGTERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sigint_running_tasks_end_and_others_are_given_back_at_once() {
    finishes_what_runs_and_gives_the_rest_back_at_once(Kind::Sqlite, Signal::INT, "SIGINT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sigquit_running_tasks_end_and_others_are_given_back_at_once() {
    finishes_what_runs_and_gives_the_rest_back_at_once(Kind::Sqlite, Signal::QUIT, "SIGQUIT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_claims_nothing_more() {
    let place = Place::new().await;
    let running = place.enqueue([gated::new(1, "end")]).await[0];
    let mut worker = place.worker("worker", &LEASE);
    place.ledger().reaches(1).await;
    worker.send(Signal::TERM);
    worker.says("received SIGTERM").await;
    let later = place.enqueue_records(50).await;
    place.open_gate("end", None);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    assert_eq!(place.find(running).await.status, TaskStatus::Successful);
    for id in later {
        assert_eq!(place.find(id).await.status, TaskStatus::Ready);
    }
    assert_eq!(place.ledger().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_work_ends_within_a_second() {
    let place = Place::new().await;
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        // It would look for tasks again much later.
        let mut worker = place.worker("worker", &["--interval", "10m", "--lease", "10m"]);
        place.workers_join(1).await;
        worker.send(signal);
        assert_eq!(worker.exits_within(IDLE).await, 0);
        place.workers_join(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_only_later_tasks_ends_within_a_second() {
    let place = Place::new().await;
    let later = task_core::run_after(Duration::from_secs(3_600));
    let call = conformance::executions::record::new(1).using(later);
    let id = place.enqueue([call]).await[0];
    let mut worker = place.worker("worker", &LEASE);
    place.workers_join(1).await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(IDLE).await, 0);
    assert_eq!(place.find(id).await.status, TaskStatus::Ready);
}

on_every_store! {
    at_sigterm_running_tasks_end_and_others_are_given_back_at_once,
}
