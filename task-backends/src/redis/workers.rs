//! Who works: joining, staying alive, leaving.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};
use task_core::{Error, ErrorKind, Renewal, Result, TaskId, WorkerInfo, WorkerKey, WorkerRecord};

use super::answer::{list, next, number, text};
use super::enqueue::time;
use super::error::corrupt;
use super::link::{Arguments, Link, Time, arguments, each};
use super::packed::timestamp;
use super::record::ids;
use super::{paused, scripts};

/// The longest name of a worker, in bytes.
const MAX_ID_BYTES: usize = 64;

/// How many characters of what is stored of a worker are the number of its call, and how many its start.
const CALL: usize = 36;
const STARTED: usize = 16;

/// What a worker says of itself.
#[derive(Serialize, Deserialize)]
struct Info {
    host: String,
    pid: u32,
    queues: String,
    concurrency: usize,
}

fn read_info(text: &str) -> Result<Info> {
    serde_json::from_str(text).map_err(|error| corrupt(format!("a worker `{text}`")).because(error))
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) async fn join(link: &Link, worker: &WorkerInfo) -> Result<WorkerKey> {
    let is_long = worker.id.is_empty() || worker.id.len() > MAX_ID_BYTES;
    if is_long || worker.id.chars().any(char::is_control) {
        let message = "a worker id has 1 to 64 bytes without control characters";
        return Err(Error::new(ErrorKind::InvalidTask, message));
    }
    let info = Info {
        host: worker.host.clone(),
        pid: worker.pid,
        queues: worker.queues.clone(),
        concurrency: worker.concurrency,
    };
    let info = serde_json::to_string(&info).map_err(|error| corrupt(format!("a worker: {error}")))?;
    let mut asked = arguments([&worker.id]);
    asked.number(microseconds(worker.lease));
    asked.push(info);
    asked.push(TaskId::new().to_string());
    let answer = link.call(&scripts::JOIN, 0, Time::Server, &asked).await?;
    let mut answer = list(answer)?.into_iter();
    if number(next(&mut answer)?)? == 1 {
        return Ok(WorkerKey(number(next(&mut answer)?)?));
    }
    let Info { host, pid, .. } = read_info(&text(next(&mut answer)?)?)?;
    let message = format!("a worker `{}` is alive already", worker.id);
    Err(Error::new(ErrorKind::State, message)
        .at(format!("process {pid} on {host}"))
        .hint("give this one another --worker-id, or wait until the lease of a killed one runs out"))
}

pub(crate) async fn renew(link: &Link, worker: WorkerKey, lease: Duration) -> Result<Renewal> {
    let mut asked = Arguments::default();
    asked.number(worker.0);
    asked.number(microseconds(lease));
    let answer = link.call(&scripts::RENEW, 0, Time::Server, &asked).await?;
    if answer == Value::Int(0) {
        return Ok(Renewal::Lost);
    }
    let mut answer = list(answer)?.into_iter();
    let now = timestamp(number(next(&mut answer)?)?)?;
    let paused = paused::read(answer)?;
    let mut asked = Arguments::default();
    asked.number(worker.0);
    let mut canceled = Vec::new();
    time(link).await?;
    for (_, answer) in each(link, &scripts::ASKED, Time::Server, &asked).await? {
        canceled.extend(ids(answer)?);
    }
    Ok(Renewal::Renewed {
        canceled,
        paused,
        now,
    })
}

pub(crate) async fn leave(link: &Link, worker: WorkerKey) -> Result<()> {
    let mut asked = Arguments::default();
    asked.number(worker.0);
    link.call(&scripts::LEAVE, 0, Time::Server, &asked)
        .await
        .map(|_| ())
}

/// The workers that have joined and neither left nor been given up.
pub(crate) async fn workers(link: &Link) -> Result<Vec<WorkerRecord>> {
    let mut holds: BTreeMap<i64, u64> = BTreeMap::new();
    time(link).await?;
    for (_, answer) in each(link, &scripts::HOLDS, Time::Server, &Arguments::default()).await? {
        let mut answer = list(answer)?.into_iter();
        while let Some(worker) = answer.next() {
            let tasks = number(next(&mut answer)?)?;
            *holds.entry(number(worker)?).or_default() += u64::try_from(tasks).unwrap_or(0);
        }
    }
    let answer = link
        .call(&scripts::WORKERS, 0, Time::Server, &Arguments::default())
        .await?;
    let mut answer = list(answer)?.into_iter();
    let mut workers = Vec::new();
    while let Some(key) = answer.next() {
        let (key, id) = (number(key)?, text(next(&mut answer)?)?);
        let lease_until = timestamp(number(next(&mut answer)?)?)?;
        let said = text(next(&mut answer)?)?;
        let (started_at, info) = said
            .get(CALL..CALL + STARTED)
            .zip(said.get(CALL + STARTED..))
            .ok_or_else(|| corrupt(format!("a worker `{said}`")))?;
        let started_at = started_at
            .parse()
            .map_err(|_| corrupt(format!("a worker `{said}`")))?;
        let info = read_info(info)?;
        let record = WorkerRecord {
            id,
            host: info.host,
            pid: info.pid,
            queues: info.queues,
            concurrency: info.concurrency,
            started_at: timestamp(started_at)?,
            lease_until,
            claimed: holds.get(&key).copied().unwrap_or(0),
        };
        workers.push((key, record));
    }
    workers.sort_by_key(|(key, record)| (record.started_at, *key));
    Ok(workers.into_iter().map(|(_, record)| record).collect())
}
