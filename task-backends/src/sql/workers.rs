//! Who works: joining, staying alive, leaving.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;
use task_core::{Error, ErrorKind, Renewal, Result, TaskId, WorkerInfo, WorkerKey, WorkerRecord};

use super::error::{corrupt, from_sqlx};
use super::listed;
use super::record::timestamp;
use super::writer::{Transaction, Work};

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
        let now = transaction.now();
        let living = transaction
            .fetch(
                "SELECT host, pid FROM worker WHERE id = ? AND ended_at IS NULL AND lease_until >= ?",
                [worker.id.as_str().into(), now.into()],
            )
            .await?;
        if let Some(row) = living.first() {
            let (host, pid): (String, u32) = (
                row.try_get("host").map_err(from_sqlx)?,
                row.try_get("pid").map_err(from_sqlx)?,
            );
            return Err(Error::new(
                ErrorKind::State,
                format!("a worker `{}` is alive already", worker.id),
            )
            .at(format!("process {pid} on {host}"))
            .hint("give this one another --worker-id, or wait until the lease of a killed one runs out"));
        }
        // A namesake whose lease ran out is given up here; its tasks wait for a rescuer.
        transaction.run(
            "UPDATE worker SET ended_at = ? WHERE id = ? AND ended_at IS NULL",
            [now.into(), worker.id.as_str().into()],
        );
        let rows = transaction
            .fetch(
                "INSERT INTO worker (id, host, pid, queues, concurrency, started_at, lease_until, ended_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, NULL) RETURNING key",
                [
                    worker.id.as_str().into(),
                    worker.host.as_str().into(),
                    worker.pid.into(),
                    worker.queues.as_str().into(),
                    i64::try_from(worker.concurrency).unwrap_or(i64::MAX).into(),
                    now.into(),
                    now.saturating_add(microseconds(worker.lease)).into(),
                ],
            )
            .await?;
        let row = rows.first().ok_or_else(|| corrupt("RETURNING returned no row"))?;
        Ok(WorkerKey(row.try_get(0).map_err(from_sqlx)?))
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
        let until = transaction.now().saturating_add(microseconds(self.lease));
        // A lease that has run out but was not taken yet may still be renewed: nobody
        // else has the tasks.
        let renewed = transaction
            .fetch(
                "UPDATE worker SET lease_until = ? WHERE key = ? AND ended_at IS NULL RETURNING key",
                [until.into(), self.worker.0.into()],
            )
            .await?;
        if renewed.is_empty() {
            return Ok(Renewal::Lost);
        }
        let wanted = transaction
            .fetch(
                "SELECT t.seq, t.id FROM cancellation c JOIN task t ON t.seq = c.seq ORDER BY c.seq",
                [],
            )
            .await?;
        let mut canceled = Vec::with_capacity(wanted.len());
        if !wanted.is_empty() {
            let mut own = BTreeSet::new();
            for row in transaction
                .fetch("SELECT tasks FROM claim WHERE worker = ?", [self.worker.0.into()])
                .await?
            {
                own.extend(
                    listed::read(row.try_get(0).map_err(from_sqlx)?)?
                        .iter()
                        .map(|task| task.seq),
                );
            }
            for row in wanted {
                let id: &[u8] = row.try_get("id").map_err(from_sqlx)?;
                let id = TaskId::from_bytes(id).ok_or_else(|| corrupt("a task id that is not 16 bytes"))?;
                if own.contains(&row.try_get::<i64, _>("seq").map_err(from_sqlx)?) {
                    canceled.push(id);
                }
            }
        }
        Ok(Renewal::Renewed { canceled })
    }
}

pub(crate) struct LeaveWork(pub(crate) WorkerKey);

#[async_trait]
impl Work for LeaveWork {
    type Answer = ();

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let now = transaction.now();
        transaction.run(
            "UPDATE worker SET ended_at = ? WHERE key = ? AND ended_at IS NULL",
            [now.into(), self.0.0.into()],
        );
        Ok(())
    }
}

/// The workers that have joined and neither left nor been given up.
pub(crate) async fn workers(readers: &SqlitePool) -> Result<Vec<WorkerRecord>> {
    let query = "SELECT id, host, pid, queues, concurrency, started_at, lease_until, \
             coalesce((SELECT sum(remaining) FROM claim WHERE worker = key), 0) AS claimed \
         FROM worker WHERE ended_at IS NULL ORDER BY started_at, key";
    let rows = sqlx::query(query).fetch_all(readers).await.map_err(from_sqlx)?;
    let mut workers = Vec::with_capacity(rows.len());
    for row in rows {
        let (concurrency, claimed): (i64, i64) = (
            row.try_get("concurrency").map_err(from_sqlx)?,
            row.try_get("claimed").map_err(from_sqlx)?,
        );
        workers.push(WorkerRecord {
            id: row.try_get("id").map_err(from_sqlx)?,
            host: row.try_get("host").map_err(from_sqlx)?,
            pid: row.try_get("pid").map_err(from_sqlx)?,
            queues: row.try_get("queues").map_err(from_sqlx)?,
            concurrency: usize::try_from(concurrency).unwrap_or(0),
            started_at: timestamp(row.try_get("started_at").map_err(from_sqlx)?)?,
            lease_until: timestamp(row.try_get("lease_until").map_err(from_sqlx)?)?,
            claimed: u64::try_from(claimed).unwrap_or(0),
        });
    }
    Ok(workers)
}
