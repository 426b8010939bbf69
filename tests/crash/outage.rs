//! A store that cannot be reached for a while: workers stay, and deliver afterwards.

use std::time::{Duration, Instant};

use conformance::executions::{gated, slow_record};
use task_core::TaskStatus;

use crate::system::{PATIENCE, Place, Process, Signal, Sql, eventually, within};

/// Longer than SQLite itself and the framework wait for a lock before they report it.
const LONGER_THAN_ALL_TRIES: Duration = Duration::from_secs(60);

/// Returns when the lease of every worker has run out.
async fn leases_run_out(sql: &mut Sql) {
    const LIVING: &str = "SELECT count(*) FROM worker \
         WHERE ended_at IS NULL AND lease_until >= unixepoch('subsec') * 1000000";
    eventually("the leases to run out", async || match sql.number(LIVING).await {
        0 => Ok(()),
        living => Err(format!("{living} still run")),
    })
    .await;
}

/// With nothing in memory beside what runs, both of two workers have to run something.
const FLAGS: [&str; 6] = ["--lease", "2s", "--concurrency", "10", "--prefetch", "0"];

/// Again and again the store is locked until all leases have run out, while tasks end.
async fn outlasts_locks_longer_than_the_lease(workers: usize) {
    const ROUNDS: usize = 4;
    const RUNNING: u32 = 20;
    let place = Place::new().await;
    let mut workers: Vec<Process> = (0..workers)
        .map(|number| place.worker(&format!("worker-{number}"), &FLAGS))
        .collect();
    place.workers_join(workers.len()).await;
    for round in 0..ROUNDS {
        let gate = format!("round-{round}");
        let ids = place
            .enqueue((0..RUNNING).map(|number| gated::new(number, gate.clone())))
            .await;
        let running = ids.len().min(10 * workers.len());
        place.ledger().reaches(round * ids.len() + running).await;
        let mut lock = place.sql().await;
        lock.run("BEGIN EXCLUSIVE").await;
        place.open_gate(&gate, None);
        leases_run_out(&mut lock).await;
        lock.run("COMMIT").await;
        lock.close().await;
        place.all_end().await;
        // Nobody died, so nothing ran twice.
        place.assert_exact(&[]).await;
    }
    place.assert_clean().await;
    for worker in &mut workers {
        assert!(worker.is_alive());
        worker.send(Signal::TERM);
        assert_eq!(worker.exits_within(PATIENCE).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_store_is_locked_for_longer_than_its_lease_delivers_what_it_had_finished() {
    outlasts_locks_longer_than_the_lease(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_whose_store_is_locked_for_longer_than_their_leases_take_nothing_from_each_other() {
    outlasts_locks_longer_than_the_lease(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_store_is_locked_until_it_complains_goes_on_afterwards() {
    let place = Place::new().await;
    let mut worker = place.worker("worker", &["--lease", "2s"]);
    let running = place.enqueue([gated::new(1, "during")]).await[0];
    place.ledger().reaches(1).await;
    let mut lock = place.sql().await;
    lock.run("BEGIN EXCLUSIVE").await;
    let began = Instant::now();
    place.open_gate("during", None);
    within(LONGER_THAN_ALL_TRIES, "a complaint", async || {
        let log = worker.log();
        if log.contains("trying again") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    println!("it complained after {:?}", began.elapsed());
    assert!(worker.is_alive());
    lock.run("COMMIT").await;
    lock.close().await;

    place.becomes(running, TaskStatus::Successful).await;
    place
        .enqueue((0..100).map(|number| slow_record::new(number, 1)))
        .await;
    place.all_end().await;
    place.assert_exact(&[]).await;
    place.assert_clean().await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_store_moves_away_and_back_goes_on() {
    let place = Place::new().await;
    let mut worker = place.worker("worker", &["--lease", "30s"]);
    let during = place
        .enqueue((0..50).map(|number| gated::new(number, "during")))
        .await;
    place.ledger().reaches(during.len()).await;
    let elsewhere = place.folder().join("elsewhere");
    std::fs::rename(place.store(), &elsewhere).expect("a folder can be renamed");
    place.open_gate("during", None);
    let mut sql = Sql::open(&elsewhere.join("tasks.db")).await;
    eventually("the end of all that runs", async || {
        let ended = sql.number("SELECT count(*) FROM result").await;
        if usize::try_from(ended) == Ok(during.len()) {
            Ok(())
        } else {
            Err(format!("{ended}"))
        }
    })
    .await;
    sql.close().await;
    std::fs::rename(&elsewhere, place.store()).expect("a folder can be renamed");

    place.all_end().await;
    place
        .enqueue((0..50).map(|number| slow_record::new(number, 1)))
        .await;
    place.all_end().await;
    place.assert_exact(&[]).await;
    place.assert_clean().await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}
