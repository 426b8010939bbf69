//! Whether a worker stays as it was: `bench soak [--seconds N] [--every N] [--tolerance PERCENT] [URL]`.
//!
//! The peak is measured first: one producer and one worker as fast as they can, beside each other.
//! Then tasks come at half that rate, results are pruned, and samples are taken of the rate, the memory
//! of this process and the size of the store. In the end nothing may have grown. `bench soak --idle`
//! measures a worker that has nothing to do.

mod size;

use std::time::{Duration, Instant};

use task_core::{Backends, PruneRule, Registry, enqueue_many_on};
use task_worker::{Shutdown, Worker, WorkerOptions, WorkerStatus};
use tokio::time::MissedTickBehavior;

use self::size::{Size, size};
use crate::idle::{cpu_ticks, resident_kib};
use crate::ours::{NOTE, noop, rate};
use crate::server::Place;
use crate::{Outcome, runtime};

/// How many tasks may wait or run while the peak is measured.
const MOST_OPEN: u64 = 20_000;

/// How many tasks the producer enqueues at a time, at most.
const CHUNK: u64 = 1_000;

/// How often the producer enqueues what is due.
const TICK: Duration = Duration::from_millis(20);

/// What may be more in the end: memory and files are not cut to the byte.
const SLACK_BYTES: f64 = 8.0 * 1024.0 * 1024.0;

/// How much more there may be beside that.
const GROWTH: f64 = 1.2;

/// What is asked for.
#[derive(Debug, Clone)]
struct Plan {
    url: String,
    seconds: u64,
    every: u64,
    tolerance: f64,
    is_idle: bool,
}

/// One look.
#[derive(Debug, Clone)]
struct Sample {
    at: Duration,
    per_second: f64,
    resident_bytes: f64,
    size: Size,
}

/// Reads what is asked for and does it.
pub(crate) fn run(words: &[&str]) -> Outcome {
    let plan = Plan::read(words)?;
    let run = runtime()?;
    if plan.is_idle {
        return run.block_on(idle(&plan));
    }
    run.block_on(soak(&plan))
}

impl Plan {
    fn read(words: &[&str]) -> Outcome<Self> {
        let mut plan = Self {
            url: "sqlite:".to_owned(),
            seconds: 30 * 60,
            every: 10,
            tolerance: 5.0,
            is_idle: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a number"));
            match *word {
                "--minutes" => plan.seconds = 60 * value()?.parse::<u64>()?,
                "--seconds" => plan.seconds = value()?.parse()?,
                "--every" => plan.every = value()?.parse()?,
                "--tolerance" => plan.tolerance = value()?.parse()?,
                "--idle" => plan.is_idle = true,
                url if url.contains(':') => plan.url = url.to_owned(),
                other => return Err(format!("`{other}` is neither a flag of soak nor a URL").into()),
            }
        }
        if plan.every == 0 || plan.seconds / plan.every < 6 {
            return Err("a soak has at least six samples: more --seconds, or fewer --every".into());
        }
        Ok(plan)
    }
}

/// A worker in this process.
struct Working {
    status: WorkerStatus,
    shutdown: Shutdown,
    running: tokio::task::JoinHandle<task_core::Result<task_worker::Summary>>,
}

impl Working {
    fn start(backends: &Backends) -> Outcome<Self> {
        let alias = backends.get("default")?.clone();
        let worker = Worker::new(alias, Registry::collected()?, WorkerOptions::default())?;
        let (status, shutdown) = (worker.status(), Shutdown::new());
        let running = tokio::spawn(worker.run(shutdown.clone()));
        Ok(Self {
            status,
            shutdown,
            running,
        })
    }

    fn done(&self) -> u64 {
        self.status.snapshot().totals.succeeded
    }

    async fn stop(self) -> Outcome {
        self.shutdown.stop();
        self.running.await??;
        Ok(())
    }
}

async fn enqueue(backends: &Backends, from: u64, count: u64) -> Outcome {
    enqueue_many_on(
        (from..from + count).map(|n| noop::new(n, NOTE)).collect(),
        backends,
    )
    .await?;
    Ok(())
}

/// How many tasks per second one producer and one worker get through.
async fn peak(backends: &Backends, time: Duration) -> Outcome<f64> {
    let working = Working::start(backends)?;
    let (mut enqueued, began) = (0, Instant::now());
    while began.elapsed() < time {
        if enqueued - working.done().min(enqueued) < MOST_OPEN {
            enqueue(backends, enqueued, CHUNK).await?;
            enqueued += CHUNK;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let done = usize::try_from(working.done())?;
    let peak = rate(done, began.elapsed());
    working.stop().await?;
    Ok(peak)
}

async fn soak(plan: &Plan) -> Outcome {
    let place = Place::new(&plan.url).await?;
    let backends = place.open().await?;
    let total = Duration::from_secs(plan.seconds);
    let every = Duration::from_secs(plan.every);
    let peak = peak(
        &backends,
        (total / 10).clamp(Duration::from_secs(3), Duration::from_secs(30)),
    )
    .await?;
    let per_second = peak / 2.0;
    println!(
        "{}: peak {peak:.0} tasks/s, soaking {} s at {per_second:.0} tasks/s",
        place.kind(),
        plan.seconds
    );

    let working = Working::start(&backends)?;
    let pruning = tokio::spawn(prune(backends.clone(), every / 2));
    let producing = tokio::spawn(produce(backends.clone(), per_second, total));
    let mut samples = Vec::new();
    let began = Instant::now();
    let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last_done, mut last_at) = (working.done(), began);
    println!(
        "\n| s | tasks/s | memory, MiB | store, MiB | dead rows |\n| ---: | ---: | ---: | ---: | ---: |"
    );
    while began.elapsed() + every / 2 < total {
        looks.tick().await;
        let (done, at) = (working.done(), Instant::now());
        let sample = Sample {
            at: began.elapsed(),
            per_second: rate(usize::try_from(done - last_done)?, at - last_at),
            resident_bytes: resident_kib(std::process::id())? * 1024.0,
            size: size(&place).await?,
        };
        (last_done, last_at) = (done, at);
        println!("{}", sample.row());
        samples.push(sample);
    }
    let enqueued = producing.await??;
    let left = enqueued - working.done().min(enqueued);
    pruning.abort();
    let snapshot = working.status.snapshot();
    working.stop().await?;
    backends.close().await;
    place.remove().await?;
    let mut broken = verdict(&samples, plan.tolerance);
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    if left as f64 > 5.0 * per_second {
        broken.push(format!(
            "{left} tasks were left: the worker does not keep up with half its peak"
        ));
    }
    if snapshot.totals.failed + snapshot.lost_leases > 0 {
        broken.push(format!(
            "{} failed, {} leases lost",
            snapshot.totals.failed, snapshot.lost_leases
        ));
    }
    tell(&broken)
}

fn tell(broken: &[String]) -> Outcome {
    if broken.is_empty() {
        println!("\nverdict: nothing grew, nothing slowed");
        return Ok(());
    }
    Err(format!("verdict: {}", broken.join("; ")).into())
}

/// Enqueues at this rate for so long; says how many it were.
async fn produce(backends: Backends, per_second: f64, time: Duration) -> Outcome<u64> {
    let mut ticks = tokio::time::interval(TICK);
    let (began, mut enqueued) = (Instant::now(), 0);
    while began.elapsed() < time {
        ticks.tick().await;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive count"
        )]
        let due = (began.elapsed().as_secs_f64() * per_second) as u64;
        while enqueued < due {
            let count = (due - enqueued).min(CHUNK);
            enqueue(&backends, enqueued, count).await?;
            enqueued += count;
        }
    }
    Ok(enqueued)
}

/// Deletes results that are this old, again and again.
async fn prune(backends: Backends, age: Duration) -> Outcome {
    let alias = backends.get("default")?.clone();
    let admin = alias.backend().admin().ok_or("no operator's face")?;
    let rule = PruneRule {
        min_age: age,
        failed_min_age: None,
        queues: Vec::new(),
        dry_run: false,
    };
    loop {
        tokio::time::sleep((age / 4).max(Duration::from_millis(100))).await;
        // Meeting a worker's transaction is no trouble: the next round deletes it.
        if let Err(error) = admin.prune(&rule).await {
            eprintln!("pruning: {error}");
        }
    }
}

impl Sample {
    fn row(&self) -> String {
        let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
        let dead = self
            .size
            .dead
            .map_or_else(|| "-".to_owned(), |dead| format!("{dead:.0}"));
        format!(
            "| {} | {:.0} | {:.1} | {:.1} | {dead} |",
            self.at.as_secs(),
            self.per_second,
            mib(self.resident_bytes),
            mib(self.size.bytes)
        )
    }
}

/// What the last samples have more than those after the warm-up, which is the first sixth.
fn verdict(samples: &[Sample], tolerance: f64) -> Vec<String> {
    let warm = &samples[(samples.len() / 6).max(1).min(samples.len() - 1)..];
    let part = (warm.len() / 3).max(1);
    let (first, last) = (&warm[..part], &warm[warm.len() - part..]);
    let mut broken = Vec::new();
    let (before, after) = (median(first, |s| s.per_second), median(last, |s| s.per_second));
    let change = 100.0 * (after - before) / before.max(1.0);
    println!("\nrate {before:.0} tasks/s at first, {after:.0} in the end ({change:+.1} %)");
    if change.abs() > tolerance {
        broken.push(format!(
            "the rate changed by {change:+.1} %, more than {tolerance} %"
        ));
    }
    for (what, of) in [
        (
            "the memory of the process",
            (|s| s.resident_bytes) as fn(&Sample) -> f64,
        ),
        ("the store", |s| s.size.bytes),
    ] {
        let (before, after) = (median(first, of), median(last, of));
        if after > before * GROWTH + SLACK_BYTES {
            broken.push(format!("{what} grew from {before:.0} to {after:.0} bytes"));
        }
    }
    broken
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A worker that has nothing to do: under 1 % of a core, at most three connections.
async fn idle(plan: &Plan) -> Outcome {
    let place = Place::new(&plan.url).await?;
    let backends = place.open().await?;
    let working = Working::start(&backends)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (this, time) = (std::process::id(), Duration::from_secs(plan.seconds.min(60)));
    let before = cpu_ticks(this)?;
    tokio::time::sleep(time).await;
    let percent = (cpu_ticks(this)? - before) / time.as_secs_f64();
    let connections = size::connections()?;
    let mib = resident_kib(this)? / 1024.0;
    println!(
        "{}: {percent:.2} % of a core, {connections} connections, {mib:.1} MiB",
        place.kind()
    );
    working.stop().await?;
    backends.close().await;
    place.remove().await?;
    let mut broken = Vec::new();
    if percent >= 1.0 {
        broken.push(format!("{percent:.2} % of a core for nothing"));
    }
    if connections > 3 {
        broken.push(format!("{connections} connections"));
    }
    tell(&broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: impl Fn(f64) -> (f64, f64, f64)) -> Vec<Sample> {
        (0..18_u32)
            .map(|number| {
                let (per_second, resident_bytes, bytes) = of(f64::from(number));
                Sample {
                    at: Duration::from_secs(u64::from(number)),
                    per_second,
                    resident_bytes,
                    size: Size { bytes, dead: None },
                }
            })
            .collect()
    }

    #[test]
    fn what_stays_as_it_was_passes_and_what_slows_or_grows_does_not() {
        const MIB: f64 = 1024.0 * 1024.0;
        assert_eq!(
            verdict(&samples(|_| (100.0, 50.0 * MIB, 9.0 * MIB)), 5.0),
            Vec::<String>::new()
        );
        let slower = verdict(&samples(|at| (100.0 - at, 50.0 * MIB, 9.0 * MIB)), 5.0);
        assert!(
            slower.len() == 1 && slower[0].starts_with("the rate changed by -"),
            "{slower:?}"
        );
        let larger = verdict(
            &samples(|at| (100.0, (50.0 + 4.0 * at) * MIB, (9.0 + 4.0 * at) * MIB)),
            5.0,
        );
        assert_eq!(larger.len(), 2, "{larger:?}");
    }

    #[test]
    fn a_plan_says_what_it_does_not_know() {
        let plan = Plan::read(&["--minutes", "2", "postgres://x/y"]).expect("known");
        assert_eq!((plan.seconds, plan.url.as_str()), (120, "postgres://x/y"));
        for wrong in [
            &["--minute", "2"][..],
            &["--seconds"],
            &["--seconds", "x"],
            &["--seconds", "20"],
        ] {
            Plan::read(wrong).expect_err("wrong");
        }
    }
}
