//! Changes from outside a worker: cancel a task, let it run again, delete old ones.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;
use task_core::{Cancellation, Error, ErrorKind, PruneRule, Result, TaskId, TaskStatus};

use super::error::{corrupt, from_sqlx};
use super::finish::{CANCELED, FAILED, SUCCESSFUL};
use super::json::{count, json};
use super::record::policy_or_default;
use super::script::Value;
use super::writer::{Transaction, Work, Writer};

/// What must be known of a task to change it.
struct Found {
    seq: i64,
    lane: i64,
    rank: i64,
    due: i64,
    status: Option<i64>,
    /// Attempts behind it.
    attempts: u32,
    max_attempts: u32,
}

async fn find(transaction: &mut Transaction<'_>, id: TaskId) -> Result<Found> {
    let query = "SELECT t.seq, t.lane, t.rank, coalesce(m.due, t.due) AS due, t.policy, r.status, \
             (SELECT count(*) FROM attempt a WHERE a.seq = t.seq) AS attempts \
         FROM task t LEFT JOIN result r ON r.seq = t.seq LEFT JOIN rescheduled m ON m.seq = t.seq WHERE t.id = ?";
    let rows = transaction
        .fetch(query, [Value::from(id.as_bytes().as_slice())])
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no task {id}")))?;
    Ok(Found {
        seq: row.try_get("seq").map_err(from_sqlx)?,
        lane: row.try_get("lane").map_err(from_sqlx)?,
        rank: row.try_get("rank").map_err(from_sqlx)?,
        due: row.try_get("due").map_err(from_sqlx)?,
        status: row.try_get("status").map_err(from_sqlx)?,
        attempts: row.try_get("attempts").map_err(from_sqlx)?,
        max_attempts: policy_or_default(row.try_get("policy").map_err(from_sqlx)?).max_attempts,
    })
}

pub(crate) struct CancelWork(pub(crate) TaskId);

#[async_trait]
impl Work for CancelWork {
    /// Besides, the task's number.
    type Answer = (Cancellation, i64);

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Answer> {
        let task = find(transaction, self.0).await?;
        if task.status.is_some() {
            return Ok((Cancellation::AlreadyFinished, task.seq));
        }
        let (now, seq) = (transaction.now(), task.seq);
        let ready = "DELETE FROM ready WHERE lane = ? AND rank = ? AND due = ? AND seq = ? RETURNING seq";
        let scheduled = "DELETE FROM scheduled WHERE due = ? AND seq = ? RETURNING seq";
        let mut waiting = transaction
            .fetch(
                ready,
                [task.lane.into(), task.rank.into(), task.due.into(), seq.into()],
            )
            .await?;
        waiting.extend(
            transaction
                .fetch(scheduled, [task.due.into(), seq.into()])
                .await?,
        );
        if waiting.is_empty() {
            transaction.run(
                "INSERT INTO cancellation (seq, requested_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
                [seq.into(), now.into()],
            );
            return Ok((Cancellation::Requested, seq));
        }
        transaction.run(
            "INSERT INTO result (seq, status, lane, worker, attempt, started_at, finished_at, value) \
             VALUES (?, ?, ?, NULL, ?, NULL, ?, NULL)",
            [
                seq.into(),
                CANCELED.into(),
                task.lane.into(),
                task.attempts.into(),
                now.into(),
            ],
        );
        Ok((Cancellation::Canceled, seq))
    }
}

pub(crate) struct RetryWork(pub(crate) TaskId);

#[async_trait]
impl Work for RetryWork {
    type Answer = ();

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let task = find(transaction, self.0).await?;
        let now = transaction.now();
        if !matches!(task.status, Some(FAILED | CANCELED)) {
            let state = if task.status == Some(SUCCESSFUL) {
                TaskStatus::Successful.as_str()
            } else {
                "not finished"
            };
            return Err(
                Error::new(ErrorKind::State, format!("task {} is {state}", self.0))
                    .hint("only a FAILED or CANCELED task can be run again"),
            );
        }
        transaction.run("DELETE FROM result WHERE seq = ?", [task.seq.into()]);
        transaction.run(
            "INSERT OR REPLACE INTO rescheduled (seq, due) VALUES (?, ?)",
            [task.seq.into(), now.into()],
        );
        let last_attempt = task.attempts.saturating_add(task.max_attempts);
        transaction.run(
            "INSERT INTO ready (lane, rank, due, seq, attempt, last_attempt) VALUES (?, ?, ?, ?, ?, ?)",
            [
                task.lane.into(),
                task.rank.into(),
                now.into(),
                task.seq.into(),
                task.attempts.into(),
                last_attempt.into(),
            ],
        );
        transaction.made_ready = true;
        Ok(())
    }
}

/// How many results one pruning transaction looks at.
const PRUNE_CHUNK: usize = 1000;

/// Deletes finished tasks, chunk by chunk from the oldest on. See [`task_core::TaskAdmin::prune`].
pub(crate) async fn prune(readers: &SqlitePool, writer: &Writer, rule: &PruneRule, now: i64) -> Result<u64> {
    let before = |age: Duration| now.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
    let successful = before(rule.min_age);
    let failed = before(rule.failed_min_age.unwrap_or(rule.min_age));
    let queues =
        serde_json::to_string(&rule.queues).map_err(|error| corrupt(format!("queue names: {error}")))?;
    let all_queues = rule.queues.is_empty();
    let query = "SELECT r.seq, t.enqueued_at > ?1 AS too_young, \
             r.finished_at <= iif(r.status = 1, ?2, ?3) AND (?4 OR r.lane IN \
                 (SELECT id FROM lane WHERE queue IN (SELECT value FROM json_each(?5)))) AS old \
         FROM result r JOIN task t ON t.seq = r.seq WHERE r.seq > ?6 ORDER BY r.seq LIMIT ?7";
    let (mut deleted, mut last) = (0, 0_i64);
    loop {
        let rows = sqlx::query(query)
            .bind(successful.max(failed))
            .bind(successful)
            .bind(failed)
            .bind(all_queues)
            .bind(&queues)
            .bind(last)
            .bind(count(PRUNE_CHUNK))
            .fetch_all(readers)
            .await
            .map_err(from_sqlx)?;
        let mut old = Vec::new();
        let mut at_the_end = rows.len() < PRUNE_CHUNK;
        for row in &rows {
            last = row.try_get("seq").map_err(from_sqlx)?;
            if row.try_get("old").map_err(from_sqlx)? {
                old.push(last);
            }
            // Tasks are numbered as they arrive, and none ends before it arrived: behind
            // one that arrived too late there is nothing old enough.
            at_the_end |= row.try_get::<bool, _>("too_young").map_err(from_sqlx)?;
        }
        if rule.dry_run {
            deleted += old.len() as u64;
        } else if !old.is_empty() {
            deleted += writer.run(PruneWork(old)).await?;
        }
        if at_the_end {
            break;
        }
    }
    if !rule.dry_run {
        writer.run(ForgetWorkersWork).await?;
    }
    Ok(deleted)
}

struct PruneWork(Vec<i64>);

#[async_trait]
impl Work for PruneWork {
    type Answer = u64;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<u64> {
        // Only those that still have a result: one may have been retried meanwhile.
        let query = "DELETE FROM result WHERE seq IN (SELECT value FROM json_each(?)) RETURNING seq";
        let rows = transaction.fetch(query, [json(&self.0)?.into()]).await?;
        let seqs = rows
            .iter()
            .map(|row| row.try_get(0).map_err(from_sqlx))
            .collect::<Result<Vec<i64>>>()?;
        let list = json(&seqs)?;
        for table in ["task", "attempt", "rescheduled"] {
            let delete = format!("DELETE FROM {table} WHERE seq IN (SELECT value FROM json_each(?))");
            transaction.run(&delete, [list.as_str().into()]);
        }
        Ok(seqs.len() as u64)
    }
}

/// Forgets workers that ended before the oldest task that is left was enqueued: no
/// result can name them.
struct ForgetWorkersWork;

#[async_trait]
impl Work for ForgetWorkersWork {
    type Answer = ();

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let now = transaction.now();
        transaction.run(
            "DELETE FROM worker WHERE ended_at < coalesce((SELECT enqueued_at FROM task ORDER BY seq LIMIT 1), ?) \
             AND NOT EXISTS (SELECT 1 FROM claim WHERE claim.worker = worker.key)",
            [now.into()],
        );
        Ok(())
    }
}
