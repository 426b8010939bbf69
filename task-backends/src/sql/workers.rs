//! Who works: joining, staying alive, leaving.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{Error, ErrorKind, Renewal, Result, WorkerInfo, WorkerKey, WorkerRecord};

use super::engine::Engine;
use super::error::corrupt;
use super::listed;
use super::paused::{self, PAUSED};
use super::record::timestamp;
use super::transaction::{Reader, Transaction, Work};

/// The longest name of a worker, in bytes.
const MAX_ID_BYTES: usize = 64;

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) struct JoinWork(pub(crate) WorkerInfo);

#[async_trait]
impl Work for JoinWork {
    type Answer = WorkerKey;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<WorkerKey> {
        let worker = &self.0;
        let is_long = worker.id.is_empty() || worker.id.len() > MAX_ID_BYTES;
        if is_long || worker.id.chars().any(char::is_control) {
            return Err(Error::new(
                ErrorKind::InvalidTask,
                "a worker id has 1 to 64 bytes without control characters",
            ));
        }
        let now = transaction.now().await?;
        let living = transaction
            .fetch(
                "SELECT host, pid FROM @worker WHERE id = ? AND ended_at IS NULL AND lease_until >= ?",
                [worker.id.as_str().into(), now.into()],
            )
            .await?;
        if let Some(row) = living.first() {
            let (host, pid) = (row.text("host")?, row.int("pid")?);
            return Err(Error::new(
                ErrorKind::State,
                format!("a worker `{}` is alive already", worker.id),
            )
            .at(format!("process {pid} on {host}"))
            .hint("give this one another --worker-id, or wait until the lease of a killed one runs out"));
        }
        // A namesake whose lease ran out is given up here; its tasks wait for a rescuer.
        transaction.run(
            "UPDATE @worker SET ended_at = ? WHERE id = ? AND ended_at IS NULL",
            [now.into(), worker.id.as_str().into()],
        );
        transaction.run(
            "INSERT INTO @worker (id, host, pid, queues, concurrency, started_at, lease_until, ended_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            [
                worker.id.as_str().into(),
                worker.host.as_str().into(),
                worker.pid.into(),
                worker.queues.as_str().into(),
                i64::try_from(worker.concurrency).unwrap_or(i64::MAX).into(),
                now.into(),
                now.saturating_add(microseconds(worker.lease)).into(),
            ],
        );
        let rows = transaction
            .fetch(
                "SELECT \"key\" FROM @worker WHERE id = ? AND ended_at IS NULL",
                [worker.id.as_str().into()],
            )
            .await?;
        let row = rows
            .last()
            .ok_or_else(|| corrupt("a worker that was just written is not there"))?;
        Ok(WorkerKey(row.int("key")?))
    }
}

pub(crate) struct RenewWork {
    pub(crate) worker: WorkerKey,
    pub(crate) lease: Duration,
}

#[async_trait]
impl Work for RenewWork {
    type Answer = Renewal;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Renewal> {
        let until = transaction.now().await?.saturating_add(microseconds(self.lease));
        // A lease that has run out but was not taken yet may still be renewed: nobody
        // else has the tasks.
        let renewed = transaction
            .write(
                "UPDATE @worker SET lease_until = ? WHERE \"key\" = ? AND ended_at IS NULL",
                [until.into(), self.worker.0.into()],
            )
            .await?;
        if renewed == 0 {
            return Ok(Renewal::Lost);
        }
        let wanted = transaction
            .fetch(
                "SELECT t.seq, t.id FROM @cancellation c JOIN @task t ON t.seq = c.seq ORDER BY c.seq",
                [],
            )
            .await?;
        let mut canceled = Vec::with_capacity(wanted.len());
        if !wanted.is_empty() {
            let mut own = BTreeSet::new();
            for row in transaction
                .fetch(
                    "SELECT tasks FROM @claim WHERE worker = ?",
                    [self.worker.0.into()],
                )
                .await?
            {
                own.extend(listed::read(&row.text("tasks")?)?.iter().map(|task| task.seq));
            }
            for row in wanted {
                if own.contains(&row.int("seq")?) {
                    canceled.push(row.id("id")?);
                }
            }
        }
        let paused = paused::read(&transaction.fetch(PAUSED, []).await?)?;
        Ok(Renewal::Renewed {
            canceled,
            paused,
            now: timestamp(transaction.now().await?)?,
        })
    }

    fn is_sociable(&self) -> bool {
        true
    }
}

pub(crate) struct LeaveWork(pub(crate) WorkerKey);

#[async_trait]
impl Work for LeaveWork {
    type Answer = ();

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let now = transaction.now().await?;
        transaction.run(
            "UPDATE @worker SET ended_at = ? WHERE \"key\" = ? AND ended_at IS NULL",
            [now.into(), self.0.0.into()],
        );
        Ok(())
    }
}

/// The workers that have joined and neither left nor been given up.
pub(crate) async fn workers(engine: &Arc<dyn Engine>) -> Result<Vec<WorkerRecord>> {
    let claimed = "SELECT worker, remaining FROM @claim";
    let query = "SELECT \"key\", id, host, pid, queues, concurrency, started_at, lease_until \
         FROM @worker WHERE ended_at IS NULL ORDER BY started_at, \"key\"";
    let mut reader = Reader::begin(engine).await?;
    let mut remaining: BTreeMap<i64, u64> = BTreeMap::new();
    for row in reader.fetch(claimed, []).await? {
        *remaining.entry(row.int("worker")?).or_default() += row.number::<u64>("remaining").unwrap_or(0);
    }
    let rows = reader.fetch(query, []).await?;
    let mut workers = Vec::with_capacity(rows.len());
    for row in rows {
        workers.push(WorkerRecord {
            id: row.text("id")?.to_string(),
            host: row.text("host")?.to_string(),
            pid: row.number("pid")?,
            queues: row.text("queues")?.to_string(),
            concurrency: row.number("concurrency")?,
            started_at: timestamp(row.int("started_at")?)?,
            lease_until: timestamp(row.int("lease_until")?)?,
            claimed: remaining.get(&row.int("key")?).copied().unwrap_or(0),
        });
    }
    Ok(workers)
}
