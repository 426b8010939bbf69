//! Eight processes enqueue, four run tasks, and every task is accounted for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conformance::executions::now;
use task_core::{TaskRecord, TaskStatus};

use crate::order::{Seen, least_slack, order_of};
use crate::system::{Kind, PATIENCE, PRODUCER, Place, Process, Signal, on_every_store, scale, spawn, tell};

const PRODUCERS: usize = 8;
const WORKERS: usize = 4;

/// Fewer slots than the producers keep busy, so that tasks wait and have an order.
const FLAGS: [&str; 4] = ["--concurrency", "4", "--lease", "30s"];

/// Between a claim and the start of what it took lies a second at most; half of one more for a busy machine.
const SLACK: Duration = Duration::from_millis(1_500);

/// The ids whose enqueue returned, with the time.
fn accepted(producers: &[Process]) -> BTreeMap<String, u64> {
    let mut accepted = BTreeMap::new();
    for producer in producers {
        for line in producer.log().lines() {
            let (id, at) = line
                .split_once(' ')
                .unwrap_or_else(|| panic!("no line of a producer: {line}"));
            let twice = accepted.insert(id.to_owned(), at.parse().expect("a time"));
            assert_eq!(twice, None, "{id} was accepted twice");
        }
    }
    accepted
}

fn microseconds(time: task_core::Timestamp) -> u64 {
    u64::try_from(time.as_microsecond()).expect("after 1970")
}

async fn eight_producers_and_four_workers_leave_an_exact_ledger_in_order(kind: Kind) {
    let seconds = scale("LEDGER_SECONDS", 5);
    let place = Place::on(kind).await;
    let workers: Vec<Process> = (0..WORKERS)
        .map(|number| place.worker(&format!("worker-{number}"), &FLAGS))
        .collect();
    place.workers_join(WORKERS).await;
    let began = Instant::now();
    let mut producers: Vec<Process> = (0..PRODUCERS)
        .map(|number| {
            let mut command = place.command(PRODUCER);
            command.args([
                "crowd",
                &seconds.to_string(),
                &(now() + number as u64).to_string(),
            ]);
            spawn(command, place.folder(), &format!("producer-{number}"))
        })
        .collect();
    for producer in &mut producers {
        let time = Duration::from_secs(seconds as u64) + PATIENCE;
        assert_eq!(producer.exits_within(time).await, 0);
    }
    place.all_end_within(10 * PATIENCE).await;
    let took = began.elapsed();

    let accepted = accepted(&producers);
    let records = place.records().await;
    let starts: BTreeMap<String, u64> = place
        .ledger()
        .lines()
        .into_iter()
        .rev()
        .map(|line| (line.id, line.at))
        .collect();
    assert_eq!(
        records.len(),
        accepted.len(),
        "what is stored and what was accepted"
    );
    let seen = |record: &TaskRecord| {
        let id = record.id.to_string();
        assert_eq!(
            (record.status, record.attempts),
            (TaskStatus::Successful, 1),
            "{record:?}"
        );
        Seen {
            priority: record.priority,
            due: microseconds(record.run_after.unwrap_or(record.enqueued_at)),
            accepted: *accepted
                .get(&id)
                .unwrap_or_else(|| panic!("{id} is stored and was not accepted")),
            started: *starts.get(&id).unwrap_or_else(|| panic!("{id} was not executed")),
        }
    };
    let tasks: Vec<Seen> = records.iter().map(seen).collect();
    for task in &tasks {
        assert!(
            task.started + 1_000 > task.due,
            "{task:?} began before it was due"
        );
    }
    let (count, executions) = (tasks.len(), place.ledger().len());
    let least = least_slack(&tasks);
    let order = order_of(tasks, u64::try_from(SLACK.as_micros()).expect("short"));
    tell(
        kind,
        &format!("{PRODUCERS} producers, {WORKERS} workers, {seconds} s"),
        &format!(
            "{count} tasks, {executions} executions, {} lost, {} doubled, {} of {} overtaken, none by {least:?}, {:.0}/s",
            accepted.len() - count,
            executions - count,
            order.overtaken,
            order.looked_at,
            count as f64 / took.as_secs_f64(),
        ),
    );
    assert_eq!(executions, count, "each ran once");
    assert!(order.looked_at > 0, "nothing waited");
    // Over the slots of a cluster, claims that meet may take some before their turn.
    let most = if kind == Kind::RedisCluster {
        order.looked_at / 20
    } else {
        0
    };
    assert!(order.overtaken <= most, "{order:?}");
    place.assert_exact(&[]).await;
    place.assert_clean().await;
    for mut worker in workers {
        worker.send(Signal::TERM);
        assert_eq!(worker.exits_within(PATIENCE).await, 0);
    }
}

on_every_store! {
    eight_producers_and_four_workers_leave_an_exact_ledger_in_order,
}
