//! Producers of the tests with real processes. Each id is printed once its enqueue returned.
//!
//! Without arguments: several callers enqueue one task after the other until the process is killed.
//! With `crowd SECONDS SEED`: batches of tasks of several queues, priorities and due times, for so long;
//! the line of each says when its enqueue returned.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use conformance::executions::{now, record, slow_record};
use task_core::{enqueue_many, priority};

/// How many enqueue at a time, so that their commits are shared.
const CALLERS: u32 = 8;

/// How many tasks a crowd's member enqueues at once, and how often: 400 a second.
const IN_ONE_CALL: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// How long each of a crowd's tasks takes.
const TAKES_MS: u64 = 5;

#[tokio::main]
async fn main() -> task_core::Result<()> {
    task_backends::init().await?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, seconds, seed] = arguments.as_slice()
        && word == "crowd"
    {
        let number = |text: &str| text.parse().unwrap_or(1);
        return crowd(Duration::from_secs(number(seconds)), number(seed)).await;
    }
    let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(enqueue_for_ever())).collect();
    for caller in callers {
        if let Ok(Err(error)) = caller.await {
            return Err(error);
        }
    }
    Ok(())
}

async fn enqueue_for_ever() -> task_core::Result<()> {
    for number in 0.. {
        let id = record::enqueue(number).await?.id();
        // One call for the whole line: a killed process leaves no half of one behind others.
        let line = format!("{id}\n");
        if io::stdout().lock().write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    Ok(())
}

async fn crowd(time: Duration, seed: u64) -> task_core::Result<()> {
    let began = Instant::now();
    let mut pace = tokio::time::interval(PAUSE);
    let mut random = seed;
    let mut below = |limit: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    while began.elapsed() < time {
        pace.tick().await;
        let calls = (0..IN_ONE_CALL).map(|number| {
            let important = i32::try_from(below(3)).unwrap_or(0) * 10;
            let options = priority(important).queue(format!("queue-{}", below(3)));
            let options = match below(10) {
                0 => options.run_after(Duration::from_millis(below(1_500))),
                _ => options,
            };
            slow_record::new(number, TAKES_MS).using(options)
        });
        let results = enqueue_many(calls.collect()).await?;
        let now = now();
        let lines: String = results
            .iter()
            .map(|result| format!("{} {now}\n", result.id()))
            .collect();
        if io::stdout().lock().write_all(lines.as_bytes()).is_err() {
            break;
        }
    }
    Ok(())
}
