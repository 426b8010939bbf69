//! Whether tasks that are not drained slow those that are: `bench scale URL`.
//!
//! Four stores are prepared: an empty one, one with a million tasks scheduled for next year, one with a
//! million finished, and one whose tasks are spread over a thousand queues. In each round every store gets
//! as many ready tasks, and one worker in this process drains them; joining and leaving count, enqueueing
//! does not.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _, PgConnection};
use task_core::{Backends, Registry, enqueue_many_on, queue, run_after};
use task_worker::{Shutdown, Worker, WorkerOptions};

use crate::ours::{NOTE, noop, rate};
use crate::report::Report;
use crate::server::{NEXT_YEAR, Place};
use crate::{Outcome, Plan};

/// How much there is, and how often it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    idle: usize,
    ready: usize,
    queues: usize,
    rounds: usize,
}

pub(crate) const FULL: Scale = Scale {
    idle: 1_000_000,
    ready: 20_000,
    queues: 1_000,
    rounds: 11,
};
pub(crate) const QUICK: Scale = Scale {
    idle: 100_000,
    ready: 20_000,
    queues: 1_000,
    rounds: 5,
};

const ALONE: &str = "drain of an empty store";
/// How many tasks are prepared by one call.
const CHUNK: usize = 50_000;

/// A store that is drained in every round.
struct Store {
    what: &'static str,
    place: Place,
    backends: Backends,
    queues: usize,
}

impl Store {
    async fn new(url: &str, what: &'static str, queues: usize) -> Outcome<Self> {
        let place = Place::new(url).await?;
        let backends = place.open().await?;
        Ok(Self {
            what,
            place,
            backends,
            queues,
        })
    }

    async fn fill(&self, tasks: usize, delay: Option<Duration>) -> Outcome {
        for from in (0..tasks).step_by(CHUNK) {
            let calls = (from..tasks.min(from + CHUNK)).map(|n| {
                let call = noop::new(n as u64, NOTE);
                match delay {
                    Some(delay) => call.using(run_after(delay)),
                    None if self.queues > 1 => call.using(queue(format!("queue-{}", n % self.queues))),
                    None => call,
                }
            });
            enqueue_many_on(calls.collect(), &self.backends).await?;
        }
        Ok(())
    }

    async fn drain(&self, tasks: usize) -> Outcome<f64> {
        self.fill(tasks, None).await?;
        let options = WorkerOptions {
            batch: true,
            ..WorkerOptions::default()
        };
        let alias = self.backends.get("default")?.clone();
        let worker = Worker::new(alias, Registry::collected()?, options)?;
        let began = Instant::now();
        let succeeded = worker.run(Shutdown::new()).await?.succeeded;
        let took = began.elapsed();
        if succeeded != tasks as u64 {
            return Err(format!("{succeeded} of {tasks} tasks succeeded").into());
        }
        Ok(rate(tasks, took))
    }
}

/// Measures the store of this URL.
pub(crate) fn measure(url: &str, scale: Scale) -> Outcome {
    let run = crate::runtime()?;
    let stores = run.block_on(prepare(url, scale))?;
    let mut report = Report::default();
    for round in 0..=scale.rounds {
        eprintln!("round {round} of {}", scale.rounds);
        // Whichever comes after another one is not always the same.
        for number in 0..stores.len() {
            let store = &stores[(number + round + 3) % stores.len()];
            let drained = run.block_on(store.drain(scale.ready))?;
            // The round before the others warms up: lanes and statements are known after it.
            if round > 0 {
                report.add(store.what, "tasks/s", drained);
            }
        }
    }
    for store in stores {
        run.block_on(store.backends.close());
        run.block_on(store.place.remove())?;
    }
    let kind = url.split_once(':').map_or(url, |(kind, _)| kind);
    let plan = Plan {
        tasks: scale.ready,
        repeats: scale.rounds,
        ..Plan::FULL
    };
    report.print_for(kind, plan);
    report.print_rounds(ALONE);
    Ok(())
}

/// Lets a server come to rest after so many writes: what it does later by itself belongs to the preparation.
async fn settle(url: &str) -> Outcome {
    if url.starts_with("postgres") {
        let mut connection = PgConnection::connect(url).await?;
        for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
            connection.execute(statement).await?;
        }
    } else if url.starts_with("mysql") {
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    Ok(())
}

async fn prepare(url: &str, scale: Scale) -> Outcome<Vec<Store>> {
    eprintln!("preparing {} scheduled and as many finished tasks", scale.idle);
    let scheduled = Store::new(url, "drain beside those scheduled", 1).await?;
    scheduled.fill(scale.idle, Some(NEXT_YEAR)).await?;
    let finished = Store::new(url, "drain beside those finished", 1).await?;
    for _ in 0..10 {
        finished.drain(scale.idle / 10).await?;
    }
    let alone = Store::new(url, ALONE, 1).await?;
    let queues = Store::new(url, "drain of a thousand queues", scale.queues).await?;
    settle(url).await?;
    Ok(vec![alone, scheduled, finished, queues])
}
