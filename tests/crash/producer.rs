//! A producer that is killed while it enqueues.

use std::collections::BTreeSet;

use crate::system::{
    Kind, PATIENCE, PRODUCER, Place, Process, Random, Signal, eventually, on_every_store, spawn,
};

/// The ids it printed whole: those whose enqueue returned.
fn printed(producer: &Process) -> Vec<String> {
    let log = producer.log();
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    whole.lines().map(str::to_owned).collect()
}

async fn enqueued(producer: &Process, count: usize) {
    eventually(&format!("{count} enqueued tasks"), async || {
        match printed(producer).len() {
            printed if printed >= count => Ok(()),
            printed => Err(format!("{printed}")),
        }
    })
    .await;
}

async fn every_task_whose_enqueue_returned_survives_the_producer_and_is_executed_once(kind: Kind) {
    const KILLS: usize = 5;
    let mut random = Random::new();
    let place = Place::on(kind).await;
    let mut promised: Vec<String> = Vec::new();
    for kill in 0..KILLS {
        let mut producer = spawn(
            place.command(PRODUCER),
            place.folder(),
            &format!("producer-{kill}"),
        );
        enqueued(&producer, random.among(1..1_000)).await;
        producer.kill();
        promised.extend(printed(&producer));
    }
    let stored: BTreeSet<String> = place.ended().await.into_keys().collect();
    println!(
        "{} enqueues returned, {} tasks are stored",
        promised.len(),
        stored.len()
    );
    assert_eq!(promised.iter().collect::<BTreeSet<_>>().len(), promised.len());
    for id in &promised {
        assert!(stored.contains(id), "{id} was enqueued and is not there");
    }

    let mut worker = place.worker("worker", &["--batch"]);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    assert_eq!(place.ledger().read().most(), 1);
    place.assert_exact(&[]).await;
    place.assert_clean().await;
}

async fn producers_and_workers_killed_together_lose_nothing_that_was_promised(kind: Kind) {
    const ROUNDS: usize = 4;
    let mut random = Random::new();
    let place = Place::on(kind).await;
    let flags = ["--lease", "1s"];
    let (mut promised, mut killed): (Vec<String>, Vec<Process>) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut worker = place.worker(&format!("worker-{round}"), &flags);
        let mut producer = spawn(
            place.command(PRODUCER),
            place.folder(),
            &format!("producer-{round}"),
        );
        enqueued(&producer, random.among(100..2_000)).await;
        place
            .ledger()
            .reaches_by(worker.pid(), random.among(1..100))
            .await;
        if round % 2 == 0 {
            worker.kill();
            producer.kill();
        } else {
            producer.kill();
            worker.kill();
        }
        promised.extend(printed(&producer));
        killed.push(worker);
    }
    let mut last = place.worker("last", &flags);
    last.says("worker starts").await;
    place.all_end().await;
    last.send(Signal::TERM);
    assert_eq!(last.exits_within(PATIENCE).await, 0);

    let ended = place.ended().await;
    println!(
        "{} enqueues returned, {} tasks ended",
        promised.len(),
        ended.len()
    );
    for id in &promised {
        assert!(ended.contains_key(id), "{id} was enqueued and is not there");
    }
    let all: Vec<&Process> = killed.iter().chain([&last]).collect();
    place.assert_exact(&all).await;
    place.assert_clean().await;
}

on_every_store! {
    producers_and_workers_killed_together_lose_nothing_that_was_promised,
    every_task_whose_enqueue_returned_survives_the_producer_and_is_executed_once,
}
