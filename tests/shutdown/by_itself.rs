//! Workers that end by themselves: when nothing is due, or after so many tasks.

use std::time::Duration;

use conformance::executions::{gated, hands_on, record, slow_record};
use task_core::{Backoff, TaskOptions, TaskStatus, run_after};

use crate::system::{PATIENCE, Place};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_worker_runs_what_is_due_and_ends() {
    let place = Place::new().await;
    let due = place
        .enqueue((0..500).map(|number| slow_record::new(number, 2)))
        .await;
    let later = record::new(501).using(run_after(Duration::from_secs(3_600)));
    let later = place.enqueue([later]).await[0];
    let mut worker = place.worker("worker", &["--batch"]);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    for id in due {
        assert_eq!(place.find(id).await.status, TaskStatus::Successful);
    }
    assert_eq!(place.find(later).await.status, TaskStatus::Ready);
    assert_eq!(place.ledger().len(), 500);
    place.workers_join(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_worker_ends_at_once_when_there_is_nothing() {
    let place = Place::new().await;
    let mut worker = place.worker("worker", &["--batch", "--interval", "10m"]);
    assert_eq!(worker.exits_within(Duration::from_secs(5)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_worker_also_runs_what_its_tasks_enqueue() {
    let place = Place::new().await;
    let id = place.enqueue([hands_on::new(200_u32)]).await[0];
    let mut worker = place.worker("worker", &["--batch"]);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    assert_eq!(place.find(id).await.return_value.as_deref(), Some("200"));
    assert_eq!(place.ledger().read().tasks(), 201);
    let ended = place.ended().await;
    assert_eq!(ended.len(), 201);
    assert!(ended.values().all(|ended| ended.status == "SUCCESSFUL"));
    place.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_batch_workers_both_end_and_nothing_is_left() {
    let place = Place::new().await;
    place
        .enqueue((0..2_000).map(|number| slow_record::new(number, 2)))
        .await;
    let mut workers = [
        place.worker("one", &["--batch"]),
        place.worker("other", &["--batch"]),
    ];
    for worker in &mut workers {
        assert_eq!(worker.exits_within(PATIENCE).await, 0);
    }
    let ledger = place.ledger().read();
    assert_eq!((ledger.tasks(), ledger.most()), (2_000, 1));
    place.assert_exact(&[]).await;
    place.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_run_so_many_tasks_runs_exactly_so_many() {
    let place = Place::new().await;
    let ids = place
        .enqueue((0..1_000).map(|number| slow_record::new(number, u64::from(number % 3))))
        .await;
    let mut before = 0;
    for (most, concurrency) in [("1", "100"), ("7", "100"), ("250", "3"), ("250", "100")] {
        let mut worker = place.worker("worker", &["--max-tasks", most, "--concurrency", concurrency]);
        assert_eq!(worker.exits_within(PATIENCE).await, 0);
        before += most.parse::<usize>().expect("a number");
        assert_eq!(
            place.ledger().len(),
            before,
            "after {most} more, {concurrency} at a time"
        );
        let mut sql = place.sql().await;
        assert_eq!(sql.number("SELECT count(*) FROM claim").await, 0);
        sql.close().await;
    }
    let ended = place.ended().await;
    let ready = ended.values().filter(|task| task.status == "READY").count();
    assert_eq!(ready, ids.len() - before);
    assert_eq!(place.ledger().read().most(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_run_so_many_tasks_counts_attempts_and_waits_for_their_end() {
    let place = Place::new().await;
    let twice = TaskOptions::default()
        .max_attempts(2)
        .backoff(Backoff::fixed(Duration::ZERO));
    let failing = conformance::executions::always_fails::new("on purpose").using(twice);
    let failing = place.enqueue([failing]).await[0];
    let mut worker = place.worker("worker", &["--max-tasks", "2"]);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    let record = place.find(failing).await;
    assert_eq!((record.status, record.attempts), (TaskStatus::Failed, 2));

    let slow = place.enqueue([gated::new(1, "end")]).await[0];
    let mut worker = place.worker("worker", &["--max-tasks", "1"]);
    place.ledger().reaches(3).await;
    assert!(worker.is_alive());
    place.open_gate("end", None);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    assert_eq!(place.find(slow).await.status, TaskStatus::Successful);
}
