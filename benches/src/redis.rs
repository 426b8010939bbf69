//! The same on a Redis server: `bench redis URL`, beside what plain commands reach that move the same bytes
//! between the same keys.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Client, Pipeline, cmd};
use task_core::TaskId;

use task_core::Registry;
use task_worker::{Shutdown, Worker, WorkerOptions};

use crate::ours::{NOTE, rate};
use crate::report::Report;
use crate::server::{self, Place};
use crate::{Outcome, Plan, idle};

const ENQUEUE_BATCH: usize = 1000;
const DRAIN_BATCH: usize = 2000;
/// What a task's number, times, priority, policy, queue and name take, packed.
const HEAD_BYTES: usize = 55;
/// The same of a result: status, batch, attempt, times.
const RESULT_BYTES: usize = 29;
const LANE: &[u8] = b"default\x1fbench::noop";

/// Measures everything on the server of this URL.
pub(crate) fn measure(url: &str, plan: Plan) -> Outcome {
    let run = crate::runtime()?;
    let mut report = Report::default();
    for round in 1..=plan.repeats {
        eprintln!("round {round} of {}", plan.repeats);
        let raw = run.block_on(raw(url, plan.tasks))?;
        report.add("raw enqueue, batches of 1000", "tasks/s", raw.enqueue);
        let enqueued = run.block_on(async {
            let place = Place::new(url).await?;
            let enqueued = server::enqueue(&place, plan.tasks).await?;
            place.remove().await?;
            Outcome::Ok(enqueued)
        })?;
        report.add("enqueue_many", "tasks/s", enqueued);
        report.add("raw drain, batches of 2000", "tasks/s", raw.drain);
        let before = run.block_on(usage(url))?;
        let drained = run.block_on(server::drain(url, plan.tasks, 0, 1, None))?;
        let after = run.block_on(usage(url))?;
        report.add("drain, one worker process", "tasks/s", drained);
        #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
        let each = |before: u64, after: u64| after.saturating_sub(before) as f64 * 1000.0 / plan.tasks as f64;
        report.add(
            "scripts, enqueue and drain",
            "per 1000 tasks",
            each(before.scripts, after.scripts),
        );
        report.add(
            "commands inside, enqueue and drain",
            "per 1000 tasks",
            each(before.commands, after.commands),
        );
        report.add(
            "append-only file, enqueue and drain",
            "bytes per 1000 tasks",
            each(before.aof_bytes, after.aof_bytes),
        );
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
            let called = server::callers_at_once(url, callers, each);
            report.add(what, "tasks/s", run.block_on(called)?);
        }
        let inside = run.block_on(server::pick_up_inside(url, plan.pickups))?;
        report.add_percentiles("pick-up inside one process", inside);
        let across = run.block_on(server::pick_up_across(url, plan.pickups))?;
        report.add_percentiles("pick-up across processes", across);
    }
    let idle = run.block_on(idle_cpu(url, plan.idle_seconds))?;
    report.add("idle worker, CPU", "%", idle);
    report.print_for(&run.block_on(describe(url))?, plan);
    report.print_share("enqueue_many", "raw enqueue, batches of 1000");
    report.print_share("drain, one worker process", "raw drain, batches of 2000");
    Ok(())
}

async fn idle_cpu(url: &str, seconds: u64) -> Outcome<f64> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let alias = backends.get("default")?.clone();
    let worker = Worker::new(alias, Registry::collected()?, WorkerOptions::default())?;
    let working = tokio::spawn(worker.run(Shutdown::new()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let this = std::process::id();
    let before = idle::cpu_ticks(this)?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let used = idle::cpu_ticks(this)? - before;
    working.abort();
    let _ = working.await;
    backends.close().await;
    place.remove().await?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of a short measurement")]
    Ok(used / seconds as f64)
}

/// What a server counted since it was started.
#[derive(Default)]
struct Usage {
    scripts: u64,
    commands: u64,
    aof_bytes: u64,
}

async fn usage(urls: &str) -> Outcome<Usage> {
    let mut usage = Usage::default();
    for mut master in masters(urls).await? {
        let info: String = cmd("INFO").arg("everything").query_async(&mut master).await?;
        for line in info.lines() {
            let Some((name, value)) = line.trim().split_once(':') else {
                continue;
            };
            if let Some(command) = name.strip_prefix("cmdstat_") {
                let calls = value.split(',').find_map(|part| part.strip_prefix("calls="));
                let calls: u64 = calls.ok_or("no calls")?.parse()?;
                if command.starts_with("eval") {
                    usage.scripts += calls;
                } else {
                    usage.commands += calls;
                }
            } else if name == "aof_current_size" {
                usage.aof_bytes += value.parse::<u64>()?;
            }
        }
    }
    Ok(usage)
}

/// Which server this is, and what survives its end.
async fn describe(urls: &str) -> Outcome<String> {
    let mut masters = masters(urls).await?;
    let count = masters.len();
    let first = masters.first_mut().ok_or("no server holds keys")?;
    let info: String = cmd("INFO").arg("server").query_async(first).await?;
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    let (_, appends): (String, String) = cmd("CONFIG")
        .arg("GET")
        .arg("appendonly")
        .query_async(first)
        .await?;
    let (_, syncs): (String, String) = cmd("CONFIG")
        .arg("GET")
        .arg("appendfsync")
        .query_async(first)
        .await?;
    Ok(format!(
        "Redis {}, {count} of them, appendonly {appends}, appendfsync {syncs}",
        version.unwrap_or("?").trim()
    ))
}

/// What plain commands reach, tasks per second.
struct Raw {
    enqueue: f64,
    drain: f64,
}

/// Moves the bytes of tasks from key to key as the backend does, in the best batches, without scripts, so
/// that nothing is checked: no fencing, no clash of ids, no order over lanes, no heads.
async fn raw(urls: &str, tasks: usize) -> Outcome<Raw> {
    let url = urls.split(',').next().ok_or("no url")?;
    let mut connection = Client::open(url)?.get_multiplexed_async_connection().await?;
    let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
    let key = |what: &str| format!("{{{name}:0}}:{what}");
    let began = Instant::now();
    let mut seq = 0_u64;
    for from in (0..tasks).step_by(ENQUEUE_BATCH) {
        let (mut task, mut order, mut log) = (cmd("HSET"), cmd("ZADD"), Vec::<u8>::new());
        task.arg(key("task"));
        order.arg(key("order"));
        for number in from..tasks.min(from + ENQUEUE_BATCH) {
            seq += 1;
            let id = TaskId::new();
            let mut body = vec![0_u8; HEAD_BYTES];
            body.extend(format!(r#"{{"number":{number},"note":"{NOTE}"}}"#).bytes());
            task.arg(id.as_bytes()).arg(body);
            let member = [&seq.to_be_bytes()[..], id.as_bytes(), LANE].concat();
            order.arg(1_700_000_000_000_000_u64 + seq).arg(member);
            log.extend(id.as_bytes());
        }
        let mut append = cmd("APPEND");
        append.arg(key(&format!("log:{from}"))).arg(log);
        let mut batch = Pipeline::new();
        for command in [task, order, append] {
            batch.add_command(command).ignore();
        }
        let () = batch.query_async(&mut connection).await?;
    }
    let enqueue = rate(tasks, began.elapsed());
    let began = Instant::now();
    let mut ends: Option<[redis::Cmd; 2]> = None;
    loop {
        let mut batch = Pipeline::new();
        for end in ends.take().into_iter().flatten() {
            batch.add_command(end).ignore();
        }
        batch.cmd("ZRANGE").arg(key("order")).arg(0).arg(DRAIN_BATCH - 1);
        let (members,): (Vec<Vec<u8>>,) = batch.query_async(&mut connection).await?;
        if members.is_empty() {
            break;
        }
        ends = Some(claim(&mut connection, &key, &members).await?);
    }
    let drain = rate(tasks, began.elapsed());
    let results: usize = cmd("HLEN")
        .arg(key("result"))
        .query_async(&mut connection)
        .await?;
    if results != tasks {
        return Err(format!("{results} of {tasks} results").into());
    }
    remove(url, &name).await?;
    Ok(Raw { enqueue, drain })
}

/// Takes these tasks, reads them and returns the commands that write down their ends.
async fn claim(
    connection: &mut MultiplexedConnection,
    key: &impl Fn(&str) -> String,
    members: &[Vec<u8>],
) -> Outcome<[redis::Cmd; 2]> {
    let (mut running, mut read) = (cmd("HSET"), cmd("HMGET"));
    let (mut result, mut leave) = (cmd("HSET"), cmd("HDEL"));
    running.arg(key("running"));
    read.arg(key("task"));
    result.arg(key("result"));
    leave.arg(key("running"));
    for (number, member) in members.iter().enumerate() {
        let id = member.get(8..24).ok_or("a short member")?;
        running.arg(id).arg([&[0; 12], LANE].concat());
        read.arg(id);
        let mut end = vec![1_u8; RESULT_BYTES];
        end.extend(number.to_string().bytes());
        result.arg(id).arg(end);
        leave.arg(id);
    }
    let mut batch = Pipeline::new();
    batch
        .cmd("ZREMRANGEBYRANK")
        .arg(key("order"))
        .arg(0)
        .arg(members.len() - 1)
        .ignore();
    batch.add_command(running).ignore();
    batch.add_command(read);
    let (bodies,): (Vec<Vec<u8>>,) = batch.query_async(connection).await?;
    if bodies.len() != members.len() {
        return Err("tasks are missing".into());
    }
    Ok([result, leave])
}

/// A connection to each of these servers that holds keys itself.
async fn masters(urls: &str) -> Outcome<Vec<MultiplexedConnection>> {
    let mut masters = Vec::new();
    for url in urls.split(',') {
        let mut connection = Client::open(url.trim())?
            .get_multiplexed_async_connection()
            .await?;
        let role: Vec<redis::Value> = cmd("ROLE").query_async(&mut connection).await?;
        if matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master") {
            masters.push(connection);
        }
    }
    Ok(masters)
}

/// Deletes every key of a store.
pub(crate) async fn remove(urls: &str, prefix: &str) -> Outcome {
    for mut master in masters(urls).await? {
        let mut cursor = 0_u64;
        loop {
            let (next, keys): (u64, Vec<Vec<u8>>) = cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{{{prefix}:*"))
                .arg("COUNT")
                .arg(1000)
                .query_async(&mut master)
                .await?;
            for key in keys {
                let _: u64 = cmd("UNLINK").arg(key).query_async(&mut master).await?;
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    Ok(())
}

/// How much memory the servers use.
pub(crate) async fn used_bytes(urls: &str) -> Outcome<f64> {
    let mut bytes = 0.0;
    for mut master in masters(urls).await? {
        let info: String = cmd("INFO").arg("memory").query_async(&mut master).await?;
        let used = info
            .lines()
            .find_map(|line| line.trim().strip_prefix("used_memory:"));
        bytes += used.ok_or("no used_memory")?.parse::<f64>()?;
    }
    Ok(bytes)
}
