//! What becomes of the tasks of a worker that was killed: those that ran, those that waited
//! in its memory, those that killed it, those that may not run twice.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use conformance::executions::{aborts, gated, slow_record};
use task_core::{FailureKind, TaskOptions, TaskRecord, TaskStatus};

use crate::system::{Kind, PATIENCE, Place, Process, Random, Signal, eventually, on_every_store};

const LEASE: [&str; 2] = ["--lease", "1s"];

/// In which a loss is noticed: the lease, a third of it until somebody looks, and a busy machine.
const SOON: Duration = Duration::from_secs(4);

fn kinds(record: &TaskRecord) -> Vec<FailureKind> {
    record.errors.iter().map(|error| error.failure.kind).collect()
}

async fn after_a_kill_the_next_start_finishes_everything_and_only_what_ran_has_an_attempt_more(kind: Kind) {
    let place = Place::on(kind).await;
    // Quick ones make the worker take more than it can run, slow ones keep it from running them.
    let quick = place.enqueue_records(2_000).await;
    let running = place
        .enqueue((0..4).map(|number| gated::new(number, "end")))
        .await;
    let waiting = place.enqueue_records(300).await;
    let mut first = place.worker("first", &[&LEASE[..], &["--concurrency", "4"]].concat());
    place.ledger().reaches(quick.len() + running.len()).await;
    let held = place.runs_and_holds_more(quick.len(), running.len()).await;
    println!("{} run, {held} wait in memory", running.len());

    first.kill();
    let killed = Instant::now();
    let second = place.worker("second", &LEASE);
    place.open_gate("end", None);
    second.says("took over from lost workers").await;
    let noticed = killed.elapsed();
    println!("noticed after {noticed:?}, with a lease of {}", LEASE[1]);
    assert!(noticed < SOON, "{noticed:?}");
    place.all_end().await;

    for id in &running {
        let record = place.find(*id).await;
        assert_eq!(record.status, TaskStatus::Successful);
        assert_eq!(kinds(&record), [FailureKind::WorkerLost]);
        assert_eq!(
            (record.attempts, record.worker_ids),
            (2, vec!["first".to_owned(), "second".to_owned()])
        );
    }
    for id in quick.iter().chain(&waiting) {
        let record = place.find(*id).await;
        assert_eq!((record.attempts, kinds(&record)), (1, Vec::new()), "{record:?}");
    }
    place.assert_exact(&[&first, &second]).await;
    place.assert_clean().await;
}

/// Starts workers one after the other, each dying of its tasks, until one survives them.
async fn workers_until_one_lives(
    place: &Place,
    flags: &[&str],
    all_ended: impl AsyncFn() -> bool,
) -> Vec<u32> {
    let mut dead = Vec::new();
    loop {
        let mut worker = place.worker(&format!("worker-{}", dead.len()), flags);
        let died = eventually("a worker to die or to end its work", async || {
            if !worker.is_alive() {
                Ok(true)
            } else if all_ended().await {
                Ok(false)
            } else {
                Err(format!("{} executions", place.ledger().len()))
            }
        })
        .await;
        if !died {
            worker.send(Signal::TERM);
            assert_eq!(worker.exits_within(PATIENCE).await, 0);
            return dead;
        }
        let status = worker.ended_within(PATIENCE).await;
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{status}");
        dead.push(worker.pid());
        assert!(dead.len() < 20, "there is no end to it");
    }
}

async fn nothing_left(place: &Place) -> bool {
    place
        .counts()
        .await
        .iter()
        .all(|count| count.status.is_finished())
}

async fn a_task_that_kills_its_workers_is_failed_after_the_fourth_and_spoils_no_other(kind: Kind) {
    let place = Place::on(kind).await;
    let mut others = place.enqueue_records(20).await;
    let poison = place.enqueue([aborts::new(1)]).await[0];
    others.extend(place.enqueue_records(300).await);
    let dead = workers_until_one_lives(&place, &LEASE, async || nothing_left(&place).await).await;

    let record = place.find(poison).await;
    println!("{dead:?} died of it");
    assert_eq!(record.status, TaskStatus::Failed);
    let last = record.errors.last().expect("a reason");
    assert_eq!(last.failure.kind, FailureKind::WorkerLost);
    assert!(
        last.failure.message.contains("max_lost is 3"),
        "{}",
        last.failure.message
    );
    assert_eq!(kinds(&record), [FailureKind::WorkerLost; 4]);
    assert_eq!(place.ledger().read().of(&poison.to_string()), dead);
    assert_eq!(dead.len(), 4);
    let ended = place.ended().await;
    let spoilt: Vec<_> = others
        .iter()
        .map(|id| &ended[&id.to_string()])
        .filter(|other| other.status != "SUCCESSFUL")
        .collect();
    assert!(
        spoilt.is_empty(),
        "{} of {} others are {:?}",
        spoilt.len(),
        others.len(),
        spoilt[0]
    );
    place.assert_clean().await;
}

async fn a_task_that_kills_its_worker_and_may_not_run_twice_does_not(kind: Kind) {
    let place = Place::on(kind).await;
    let once = TaskOptions::default().max_lost(0);
    let poison = place.enqueue([aborts::new(1).using(once)]).await[0];
    let dead = workers_until_one_lives(&place, &LEASE, async || nothing_left(&place).await).await;
    let record = place.find(poison).await;
    assert_eq!(record.status, TaskStatus::Failed);
    assert_eq!(kinds(&record), [FailureKind::WorkerLost]);
    assert!(
        record.errors[0].failure.message.contains("may not run twice"),
        "{record:?}"
    );
    assert_eq!(place.ledger().read().of(&poison.to_string()), dead);
    assert_eq!(dead.len(), 1);
}

async fn tasks_that_may_not_run_twice_are_successful_or_failed_but_never_executed_twice(kind: Kind) {
    const TASKS: u32 = 600;
    const AT_A_TIME: usize = 10;
    const KILLS: usize = 4;
    let mut random = Random::new();
    let place = Place::on(kind).await;
    let once = TaskOptions::default().max_lost(0);
    let calls = (0..TASKS).map(|number| slow_record::new(number, u64::from(number % 5)).using(once.clone()));
    place.enqueue(calls).await;
    let flags = [&LEASE[..], &["--concurrency", "10"]].concat();
    for kill in 0..KILLS {
        let mut worker = place.worker(&format!("killed-{kill}"), &flags);
        let share = TASKS as usize / (KILLS + 1);
        let target = (kill * share) + random.among(1..share);
        eventually("some more executions, or the end", async || {
            if place.ledger().len() >= target {
                Ok(())
            } else {
                Err(format!("{}", place.ledger().len()))
            }
        })
        .await;
        worker.kill();
    }
    let last: Process = place.worker("last", &flags);
    place.all_end().await;

    let ledger = place.ledger().read();
    assert_eq!(ledger.most(), 1);
    let (mut successful, mut failed) = (0, 0);
    for (id, ended) in place.ended().await {
        match ended.status.as_str() {
            "SUCCESSFUL" => {
                assert_eq!(ledger.of(&id).len(), 1, "{id}");
                successful += 1;
            }
            "FAILED" => {
                let reason = ended.error.as_deref().unwrap_or_default();
                assert!(reason.contains("it may not run twice"), "{id}: {ended:?}");
                failed += 1;
            }
            _ => panic!("{id} is {ended:?}"),
        }
    }
    println!(
        "{successful} successful, {failed} failed after {KILLS} kills, {} executed",
        ledger.tasks()
    );
    assert_eq!(successful + failed, TASKS);
    assert!(
        failed as usize <= KILLS * 2 * AT_A_TIME,
        "only what may have begun is given up"
    );
    drop(last);
    place.assert_clean().await;
}

on_every_store! {
    after_a_kill_the_next_start_finishes_everything_and_only_what_ran_has_an_attempt_more,
    a_task_that_kills_its_workers_is_failed_after_the_fourth_and_spoils_no_other,
    a_task_that_kills_its_worker_and_may_not_run_twice_does_not,
    tasks_that_may_not_run_twice_are_successful_or_failed_but_never_executed_twice,
}
