//! The same on a database server: `bench server URL`. Each figure on an empty schema or
//! database of its own. Nobody else should use the server meanwhile: its counters are of all.

mod cost;
mod idle;
mod mysql;
mod place;
mod postgres;

use std::time::{Duration, Instant};

use task_core::{Backends, Registry, TaskStatus, enqueue_many_on, queue, run_after};
use task_worker::{Shutdown, Worker, WorkerOptions};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::ours::{NOTE, noop, rate, start_worker};
use crate::report::Report;
use crate::{Outcome, Plan, latency};
use cost::Counters;
pub(crate) use place::Place;
use place::is_postgres;

/// How far away tasks are that must not slow the others.
pub(crate) const NEXT_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The batches of the raw limit.
const ENQUEUE_BATCH: usize = 1000;
const CLAIM_BATCH: usize = 2000;

/// A time as the store keeps it: microseconds since 1970.
const STARTED_AT: i64 = 1_700_000_000_000_000;

/// Measures everything on the server of this URL.
pub(crate) fn measure(url: &str, plan: Plan) -> Outcome {
    let mut report = Report::default();
    let run = crate::runtime()?;
    for round in 1..=plan.repeats {
        eprintln!("round {round} of {}", plan.repeats);
        run.block_on(bulk(url, plan, &mut report))?;
        run.block_on(callers(url, plan, &mut report))?;
        run.block_on(drains(url, plan, &mut report))?;
        let inside = run.block_on(pick_up_inside(url, plan.pickups))?;
        report.add_percentiles("pick-up inside one process", inside);
        let across = run.block_on(pick_up_across(url, plan.pickups))?;
        report.add_percentiles("pick-up across processes", across);
    }
    run.block_on(idle::worker(url, plan.idle_seconds, &mut report))?;
    report.print_for(&run.block_on(place::describe(url))?, plan);
    report.print_share("enqueue_many", "raw enqueue, batches of 1000");
    report.print_share("1 caller", "raw enqueue one by one, 1 connection");
    report.print_share("16 concurrent callers", "raw enqueue one by one, 16 connections");
    report.print_share("drain, one worker process", "raw drain, batches of 2000");
    Ok(())
}

/// The store of this name on the server.
pub(crate) async fn open(server: &str, name: &str) -> Outcome<Backends> {
    Place::named(server, name.to_owned())?.open().await
}

async fn bulk(url: &str, plan: Plan, report: &mut Report) -> Outcome {
    let place = Place::new(url).await?;
    let raw = if is_postgres(url) {
        postgres::enqueue(&place, plan.tasks).await?
    } else {
        mysql::enqueue(&place, plan.tasks).await?
    };
    place.remove().await?;
    report.add("raw enqueue, batches of 1000", "tasks/s", raw);
    let place = Place::new(url).await?;
    let before = Counters::read(url).await?;
    let ours = enqueue(&place, plan.tasks).await?;
    let cost = before.since(url, plan.tasks).await?;
    place.remove().await?;
    report.add("enqueue_many", "tasks/s", ours);
    report.add("enqueue_many: log per task", "bytes", cost.log_bytes);
    report.add("enqueue_many: commits per 1000 tasks", "", 1000.0 * cost.commits);
    if let Some(statements) = cost.statements {
        report.add("enqueue_many: statements per 1000 tasks", "", 1000.0 * statements);
    }
    Ok(())
}

async fn callers(url: &str, plan: Plan, report: &mut Report) -> Outcome {
    for (connections, what) in [
        (1, "raw enqueue one by one, 1 connection"),
        (16, "raw enqueue one by one, 16 connections"),
    ] {
        let place = Place::new(url).await?;
        let raw = if is_postgres(url) {
            postgres::one_by_one(&place, connections, plan.calls_each).await?
        } else {
            mysql::one_by_one(&place, connections, plan.calls_each).await?
        };
        place.remove().await?;
        report.add(what, "tasks/s", raw);
    }
    for (what, callers) in [
        ("1 caller", 1),
        ("16 concurrent callers", 16),
        ("64 concurrent callers", 64),
    ] {
        let each = if callers == 1 {
            plan.calls_each
        } else {
            plan.calls_each * 16 / callers
        };
        report.add(what, "tasks/s", callers_at_once(url, callers, each).await?);
    }
    Ok(())
}

async fn drains(url: &str, plan: Plan, report: &mut Report) -> Outcome {
    let tasks = plan.tasks;
    let place = Place::new(url).await?;
    let raw = if is_postgres(url) {
        postgres::drain(&place, tasks).await?
    } else {
        mysql::drain(&place, tasks).await?
    };
    place.remove().await?;
    report.add("raw drain, batches of 2000", "tasks/s", raw);
    let what = "drain, one worker process";
    let ours = drain(url, tasks, 0, 1, Some(&mut *report)).await?;
    report.add(what, "tasks/s", ours);
    let what = "drain beside as many scheduled tasks times ten";
    report.add(what, "tasks/s", drain(url, tasks, 10 * tasks, 1, None).await?);
    let what = "drain of 1000 queues";
    report.add(what, "tasks/s", drain(url, tasks, 0, 1000, None).await?);
    Ok(())
}

/// Enqueues so many tasks in one call.
pub(crate) async fn enqueue(place: &Place, tasks: usize) -> Outcome<f64> {
    let backends = place.open().await?;
    let calls = (0..tasks as u64).map(|n| noop::new(n, NOTE)).collect();
    let began = Instant::now();
    enqueue_many_on(calls, &backends).await?;
    let took = began.elapsed();
    backends.close().await;
    Ok(rate(tasks, took))
}

pub(crate) async fn callers_at_once(url: &str, callers: usize, each: usize) -> Outcome<f64> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let began = Instant::now();
    let mut calling = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let backends = backends.clone();
        calling.spawn(async move {
            for number in 0..each as u64 {
                noop::new(number, NOTE).enqueue_on(&backends).await?;
            }
            Ok::<_, task_core::Error>(())
        });
    }
    for called in calling.join_all().await {
        called?;
    }
    let took = began.elapsed();
    backends.close().await;
    place.remove().await?;
    Ok(rate(callers * each, took))
}

pub(crate) async fn drain(
    url: &str,
    tasks: usize,
    scheduled: usize,
    queues: usize,
    report: Option<&mut Report>,
) -> Outcome<f64> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let later = (0..scheduled as u64).map(|n| noop::new(n, NOTE).using(run_after(NEXT_YEAR)));
    enqueue_many_on(later.collect(), &backends).await?;
    let now = (0..tasks).map(|n| {
        let call = noop::new(n as u64, NOTE);
        if queues == 1 {
            call
        } else {
            call.using(queue(format!("queue-{}", n % queues)))
        }
    });
    enqueue_many_on(now.collect(), &backends).await?;
    backends.close().await;
    let before = match report {
        Some(_) => Some(Counters::read(url).await?),
        None => None,
    };
    let worker = start_worker("batch", &[url, &place.name])?;
    let output = worker.wait_with_output().await?;
    let took: f64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    if let (Some(report), Some(before)) = (report, before) {
        let cost = before.since(url, tasks).await?;
        report.add("drain: log per task", "bytes", cost.log_bytes);
        report.add("drain: commits per 1000 tasks", "", 1000.0 * cost.commits);
        if let Some(statements) = cost.statements {
            report.add("drain: statements per 1000 tasks", "", 1000.0 * statements);
        }
    }
    let backends = place.open().await?;
    let alias = backends.get("default")?;
    let counts = alias
        .backend()
        .admin()
        .ok_or("no operator's face")?
        .counts()
        .await?;
    let done: u64 = counts
        .iter()
        .filter(|count| count.status == TaskStatus::Successful)
        .map(|count| count.tasks)
        .sum();
    if done != tasks as u64 {
        return Err(format!("{done} of {tasks} tasks succeeded").into());
    }
    backends.close().await;
    place.remove().await?;
    Ok(rate(tasks, Duration::from_secs_f64(took)))
}

/// Worker and caller in one process.
pub(crate) async fn pick_up_inside(url: &str, times: usize) -> Outcome<Vec<f64>> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let alias = backends.get("default")?.clone();
    let worker = Worker::new(alias, Registry::collected()?, WorkerOptions::default())?;
    let shutdown = Shutdown::new();
    let working = tokio::spawn(worker.run(shutdown.clone()));
    let waits = latency::pick_up(&backends, times).await?;
    shutdown.stop();
    working.await??;
    backends.close().await;
    place.remove().await?;
    Ok(waits)
}

/// The worker is another process.
pub(crate) async fn pick_up_across(url: &str, times: usize) -> Outcome<Vec<f64>> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let mut worker = start_worker("serve", &[url, &place.name])?;
    let mut lines = BufReader::new(worker.stdout.take().ok_or("no output")?).lines();
    lines.next_line().await?;
    let waits = latency::pick_up(&backends, times).await?;
    worker.kill().await?;
    backends.close().await;
    place.remove().await?;
    Ok(waits)
}
