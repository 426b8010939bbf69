//! Many tasks, several workers, some of them killed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conformance::executions::{now, slow_record};
use task_core::TaskOptions;

use crate::system::{Kind, PATIENCE, Place, Process, Random, Signal, on_every_store, scale, tell};

/// Short, so that what a killed worker held is missed for a moment only.
const FLAGS: [&str; 2] = ["--lease", "2s"];

fn named(workers: &[&Process]) -> Vec<(String, u32)> {
    let each = workers.iter();
    each.map(|worker| (worker.name().to_owned(), worker.pid()))
        .collect()
}

/// How many tasks the store believes this worker to hold.
async fn held(place: &Place, worker: &str) -> u64 {
    let alias = place.backends().get("default").expect("the only one");
    let admin = alias.backend().admin().expect("a store has a face for operators");
    let workers = admin.workers().await.expect("workers can be listed");
    let held = workers.iter().find(|known| known.id == worker);
    held.map_or(0, |known| known.claimed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_tasks_end_successful_though_two_of_four_workers_are_killed() {
    const TASKS: u32 = 100_000;
    let began = Instant::now();
    let place = Place::new().await;
    place.enqueue_records(TASKS).await;
    let enqueued = began.elapsed();
    let mut workers: Vec<Process> = (0..4)
        .map(|number| place.worker(&format!("worker-{number}"), &FLAGS))
        .collect();
    for moment in [10_000, 30_000] {
        place.ledger().reaches(moment).await;
        let executed = place.ledger().counts();
        let living = workers.iter_mut().filter(|worker| !worker.is_killed());
        let busiest = living.max_by_key(|worker| executed.get(&worker.pid()));
        let victim = busiest.expect("four less one");
        victim.kill();
        let held = held(&place, victim.name()).await;
        println!(
            "{} killed after {moment} executions, holding {held}",
            victim.name()
        );
        assert!(
            place.ledger().read().tasks() < TASKS as usize,
            "there was more to do"
        );
    }
    place.all_end().await;
    let drained = began.elapsed() - enqueued;

    let ledger = place.ledger().read();
    let all: Vec<&Process> = workers.iter().collect();
    print!("{}", ledger.summary(&named(&all)));
    println!("{TASKS} tasks enqueued in {enqueued:?}, ended {drained:?} later");
    assert_eq!(ledger.tasks(), TASKS as usize);
    let lost = all.iter().filter(|worker| worker.was_lost()).count();
    println!("{lost} workers were lost");
    assert!(ledger.most() <= 1 + lost);
    place.assert_exact(&all).await;
    place.assert_clean().await;
    let (dead, mut living): (Vec<_>, Vec<_>) = workers.into_iter().partition(Process::is_killed);
    assert_eq!((dead.len(), living.len()), (2, 2));
    for worker in &mut living {
        worker.send(Signal::TERM);
        assert_eq!(worker.exits_within(PATIENCE).await, 0);
    }
}

/// How long the tasks that each killed worker was running waited for another one, in order.
fn recoveries(place: &Place, killed: &[(u32, u64)]) -> Vec<Duration> {
    let mut lines = place.ledger().lines();
    lines.sort_by_key(|line| line.at);
    let mut last: BTreeMap<&str, u32> = BTreeMap::new();
    let mut waited: BTreeMap<u32, Duration> = BTreeMap::new();
    for line in &lines {
        let before = last.insert(&line.id, line.pid);
        let Some((pid, at)) = killed.iter().find(|(pid, _)| Some(*pid) == before) else {
            continue;
        };
        let longest = waited.entry(*pid).or_default();
        *longest = (*longest).max(Duration::from_micros(line.at.saturating_sub(*at)));
    }
    let mut waited: Vec<Duration> = waited.into_values().collect();
    waited.sort();
    waited
}

async fn ten_kills_at_random_moments_leave_an_exact_ledger(kind: Kind) {
    let tasks = scale("LEDGER_TASKS", 5_000);
    let kills = scale("LEDGER_KILLS", 10);
    let mut random = Random::new();
    let place = Place::on(kind).await;
    // Whoever is unlucky often enough would end FAILED, which another test shows.
    let unlucky = TaskOptions::default().max_lost(u32::MAX);
    let calls =
        (0..tasks).map(|number| slow_record::new(number as u32, number as u64 % 7).using(unlucky.clone()));
    place.enqueue(calls).await;

    let flags = ["--lease", "1s", "--concurrency", "20"];
    let mut workers: Vec<Process> = (0..3)
        .map(|number| place.worker(&format!("worker-{number}"), &flags))
        .collect();
    let mut dead: Vec<Process> = Vec::new();
    let mut killed = Vec::new();
    let share = tasks / (kills + 1);
    for kill in 0..kills {
        let moment = kill * share + random.among(1..share);
        place.ledger().reaches(moment).await;
        let next = place.worker(&format!("worker-{}", 3 + kill), &flags);
        let mut victim = std::mem::replace(&mut workers[random.among(0..3)], next);
        victim.kill();
        killed.push((victim.pid(), now()));
        dead.push(victim);
    }
    place.all_end().await;

    let all: Vec<&Process> = dead.iter().chain(&workers).collect();
    let ledger = place.ledger().read();
    print!("{}", ledger.summary(&named(&all)));
    assert_eq!(ledger.tasks(), tasks);
    assert!(ledger.most() <= 1 + kills);
    place.assert_exact(&all).await;
    place.assert_clean().await;
    let waited = recoveries(&place, &killed);
    let at = |share: f64| waited[((waited.len() - 1) as f64 * share).round() as usize];
    assert!(!waited.is_empty(), "no worker was killed in the middle of a task");
    tell(
        kind,
        &format!("{kills} kills -9, 3 workers, lease 1 s"),
        &format!(
            "{tasks} tasks, {} executions, 0 lost; what ran waited for another worker: p50 {:.2?}, p99 {:.2?}, longest {:.2?}",
            place.ledger().len(),
            at(0.5),
            at(0.99),
            at(1.0),
        ),
    );
    assert!(workers.iter_mut().all(Process::is_alive));
}

on_every_store! {
    ten_kills_at_random_moments_leave_an_exact_ledger,
}
