//! `cargo xtask bench`: how fast the framework is, beside the raw limit of the store in
//! the same run.
//!
//! Every figure is measured several times, all kinds in turn (interleaved), and printed
//! as the median with the smallest and largest value. `--quick` measures once with fewer
//! tasks. `server URL` measures a PostgreSQL, MySQL or MariaDB server, `redis URL` a Redis server. `scale URL` measures what tasks cost that are
//! not drained: scheduled, finished or spread over queues (`sqlite:` for an SQLite file). `compile` measures what
//! `#[task]` costs the compiler instead.

mod compile;
mod idle;
mod latency;
mod ours;
mod raw;
mod redis;
mod report;
mod scale;
mod server;
mod soak;

use std::process::ExitCode;

use report::Report;

/// What is measured, how often and how large.
#[derive(Debug, Clone, Copy)]
struct Plan {
    tasks: usize,
    callers: usize,
    calls_each: usize,
    pickups: usize,
    repeats: usize,
    idle_seconds: u64,
}

impl Plan {
    const FULL: Self = Self {
        tasks: 100_000,
        callers: 16,
        calls_each: 2_000,
        pickups: 300,
        repeats: 5,
        idle_seconds: 10,
    };
    const QUICK: Self = Self {
        tasks: 20_000,
        callers: 16,
        calls_each: 500,
        pickups: 100,
        repeats: 1,
        idle_seconds: 3,
    };
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        // The benchmark starts itself as worker process.
        ["worker", mode, place @ ..] => ours::worker_process(mode, place),
        // For a profiler: a place with tasks that wait, to be drained by `worker batch PLACE`; a
        // file, or the URL of a server and a schema or database there.
        ["fill", tasks, place @ ..] => ours::fill(tasks, place),
        ["compile"] => compile::run(),
        ["soak", words @ ..] => soak::run(words),
        ["redis", url] => redis::measure(url, Plan::FULL),
        ["redis", url, "--quick"] => redis::measure(url, Plan::QUICK),
        ["scale", url] => scale::measure(url, scale::FULL),
        ["scale", url, "--quick"] => scale::measure(url, scale::QUICK),
        ["server", url] => server::measure(url, Plan::FULL),
        ["server", url, "--quick"] => server::measure(url, Plan::QUICK),
        [] => measure(Plan::FULL),
        ["--quick"] => measure(Plan::QUICK),
        _ => Err(format!(
            "usage: bench [--quick | compile | soak [--minutes N] [--idle] [URL] | server URL [--quick] | redis URL [--quick] | scale URL [--quick]], not `{}`",
            words.join(" ")
        )
        .into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Anything that goes wrong ends the measurement.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn measure(plan: Plan) -> Outcome {
    let mut report = Report::default();
    for round in 1..=plan.repeats {
        eprintln!("round {round} of {}", plan.repeats);
        report.add(
            "raw enqueue, batches of 1000",
            "tasks/s",
            runtime()?.block_on(raw::enqueue(plan.tasks))?,
        );
        report.add(
            "enqueue_many",
            "tasks/s",
            runtime()?.block_on(ours::enqueue_many(plan.tasks))?,
        );
        report.add(
            "raw drain, batches of 2000",
            "tasks/s",
            runtime()?.block_on(raw::drain(plan.tasks))?,
        );
        report.add(
            "drain, one worker process",
            "tasks/s",
            runtime()?.block_on(ours::drain(plan.tasks))?,
        );
        let callers = ours::concurrent_callers(plan.callers, plan.calls_each);
        report.add("16 concurrent callers", "tasks/s", runtime()?.block_on(callers)?);
        report.add(
            "1 caller",
            "tasks/s",
            runtime()?.block_on(ours::concurrent_callers(1, plan.calls_each))?,
        );
        let inside = runtime()?.block_on(latency::inside_one_process(plan.pickups))?;
        report.add_percentiles("pick-up inside one process", inside);
        let across = runtime()?.block_on(latency::across_processes(plan.pickups))?;
        report.add_percentiles("pick-up across processes", across);
    }
    let idle = runtime()?.block_on(idle::worker(plan.idle_seconds))?;
    report.add("idle worker process, CPU", "%", idle.cpu_percent);
    report.add("idle worker process, memory", "MiB", idle.memory_mib);
    report.print(plan);
    Ok(())
}
