//! Changes from outside a worker: cancel a task, let it run again, delete old ones.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{CancelRequest, Cancellation, Error, ErrorKind, PruneRule, Result, TaskId, TaskStatus};

use super::engine::Engine;
use super::error::corrupt;
use super::finish::{CANCELED, FAILED, SUCCESSFUL};
use super::json::count;
use super::listed;
use super::record::policy_or_default;
use super::script::{Conflict, Insert, Kind};
use super::transaction::{Reader, Transaction, Work};
use super::unique;
use super::value::Value;
use super::writer::Writer;

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
    let query = "SELECT t.seq, t.lane, t.\"rank\", coalesce(m.due, t.due) AS due, t.policy, r.status, \
             (SELECT count(*) FROM @attempt a WHERE a.seq = t.seq) AS attempts \
         FROM @task t LEFT JOIN @result r ON r.seq = t.seq LEFT JOIN @rescheduled m ON m.seq = t.seq WHERE t.id = ?";
    let rows = transaction.fetch(query, [id.into()]).await?;
    let row = rows
        .last()
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no task {id}")))?;
    Ok(Found {
        seq: row.int("seq")?,
        lane: row.int("lane")?,
        rank: row.int("rank")?,
        due: row.int("due")?,
        status: row.maybe_int("status")?,
        attempts: row.number("attempts")?,
        max_attempts: policy_or_default(row.maybe_text("policy")?.as_deref()).max_attempts,
    })
}

/// How often a task is looked for that moves from place to place meanwhile.
const CANCEL_TRIES: usize = 10;

pub(crate) struct CancelWork {
    pub(crate) id: TaskId,
    pub(crate) request: CancelRequest,
}

#[async_trait]
impl Work for CancelWork {
    /// Besides, the task's number.
    type Answer = (Cancellation, i64);

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Answer> {
        for _ in 0..CANCEL_TRIES {
            let task = find(transaction, self.id).await?;
            if task.status.is_some() {
                return Ok((Cancellation::AlreadyFinished, task.seq));
            }
            if cancel_waiting(transaction, &task).await? {
                self.note(transaction, &task).await?;
                return Ok((Cancellation::Canceled, task.seq));
            }
            if self.request(transaction, &task).await? {
                self.note(transaction, &task).await?;
                return Ok((Cancellation::Requested, task.seq));
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("task {} changes all the time", self.id),
        )
        .hint("try again"))
    }
}

/// Ends a task that waits; `false` when it does not.
async fn cancel_waiting(transaction: &mut Transaction<'_>, task: &Found) -> Result<bool> {
    let seq = Value::from(task.seq);
    let ready = "DELETE FROM @ready WHERE lane = ? AND \"rank\" = ? AND due = ? AND seq = ?";
    let place = [task.lane.into(), task.rank.into(), task.due.into(), seq.clone()];
    let mut deleted = transaction.write(ready, place).await?;
    if deleted == 0 {
        let scheduled = "DELETE FROM @scheduled WHERE due = ? AND seq = ?";
        deleted = transaction
            .write(scheduled, [task.due.into(), seq.clone()])
            .await?;
    }
    if deleted > 0 {
        let now = transaction.now().await?;
        transaction.run(
            "INSERT INTO @result (seq, status, lane, worker, attempt, started_at, finished_at, value) \
             VALUES (?, ?, ?, NULL, ?, NULL, ?, NULL)",
            [
                seq,
                CANCELED.into(),
                task.lane.into(),
                task.attempts.into(),
                now.into(),
            ],
        );
    }
    Ok(deleted > 0)
}

impl CancelWork {
    /// Writes down who asked and why, unless somebody asked before.
    async fn note(&self, transaction: &mut Transaction<'_>, task: &Found) -> Result<()> {
        let insert = Insert {
            table: "canceled",
            columns: &[
                ("seq", Kind::Int),
                ("requested_at", Kind::Int),
                ("request", Kind::Text),
            ],
            constants: Vec::new(),
            conflict: Conflict::Stays("seq"),
        };
        let request = serde_json::to_string(&self.request)
            .map_err(|error| corrupt(format!("a request to cancel: {error}")))?;
        let now = transaction.now().await?;
        let row = vec![task.seq.into(), now.into(), request.into()];
        transaction.insert(&insert, row).await
    }

    /// Asks whoever runs the task to stop; `false` when nobody does any more.
    ///
    /// Its claim is held meanwhile: an end that is written at the same time comes before,
    /// and is seen here, or after, and sees the request. So no request outlives its task.
    async fn request(&self, transaction: &mut Transaction<'_>, task: &Found) -> Result<bool> {
        let claims = transaction.fetch("SELECT id, tasks FROM @claim", []).await?;
        let mut holder = None;
        for row in claims {
            let list = listed::read(&row.text("tasks")?)?;
            if list.iter().any(|listed| listed.seq == task.seq) {
                holder = Some(row.int("id")?);
            }
        }
        let Some(holder) = holder else { return Ok(false) };
        let lock = transaction.engine().locking();
        let query = format!("SELECT id FROM @claim WHERE id = ?{lock}");
        if transaction.fetch(&query, [holder.into()]).await?.is_empty() {
            return Ok(false);
        }
        // Looked at again, now that it cannot move: it may have ended, or wait for a retry.
        let query = "SELECT (SELECT count(*) FROM @result WHERE seq = ?) \
                 + (SELECT count(*) FROM @scheduled s JOIN @rescheduled m ON m.seq = s.seq AND m.due = s.due WHERE s.seq = ?) \
                 + (SELECT count(*) FROM @ready q JOIN @task t ON t.seq = q.seq AND t.lane = q.lane AND t.\"rank\" = q.\"rank\" \
                    LEFT JOIN @rescheduled m ON m.seq = t.seq WHERE t.seq = ? AND q.due = coalesce(m.due, t.due)) AS elsewhere";
        let seq = Value::from(task.seq);
        let rows = transaction
            .fetch(query, [seq.clone(), seq.clone(), seq.clone()])
            .await?;
        if rows.last().map_or(Ok(0), |row| row.int("elsewhere"))? > 0 {
            return Ok(false);
        }
        let known = "SELECT seq FROM @cancellation WHERE seq = ?";
        if transaction.fetch(known, [seq.clone()]).await?.is_empty() {
            let now = transaction.now().await?;
            transaction.run(
                "INSERT INTO @cancellation (seq, requested_at) VALUES (?, ?)",
                [seq, now.into()],
            );
        }
        Ok(true)
    }
}

pub(crate) struct RetryWork(pub(crate) TaskId);

#[async_trait]
impl Work for RetryWork {
    type Answer = ();

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let task = find(transaction, self.0).await?;
        let now = transaction.now().await?;
        let ended = matches!(task.status, Some(FAILED | CANCELED));
        let delete = "DELETE FROM @result WHERE seq = ?";
        // Somebody else may have been faster since it was looked at.
        if !ended || transaction.write(delete, [task.seq.into()]).await? == 0 {
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
        transaction.run("DELETE FROM @rescheduled WHERE seq = ?", [task.seq.into()]);
        transaction.run("DELETE FROM @canceled WHERE seq = ?", [task.seq.into()]);
        transaction.run(
            "INSERT INTO @rescheduled (seq, due) VALUES (?, ?)",
            [task.seq.into(), now.into()],
        );
        let last_attempt = task.attempts.saturating_add(task.max_attempts);
        transaction.run(
            "INSERT INTO @ready (lane, \"rank\", due, seq, attempt, last_attempt) VALUES (?, ?, ?, ?, ?, ?)",
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
pub(crate) async fn prune(engine: &Arc<dyn Engine>, writer: &Writer, rule: &PruneRule) -> Result<u64> {
    let now = Reader::begin(engine).await?.now().await?;
    let before = |age: Duration| now.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
    let successful = before(rule.min_age);
    let failed = before(rule.failed_min_age.unwrap_or(rule.min_age));
    let mut lanes = Vec::new();
    for (lane, queue, _) in super::list::all_lanes(&mut Reader::begin(engine).await?).await? {
        if rule.queues.is_empty() || rule.queues.iter().any(|wanted| **wanted == *queue) {
            lanes.push(lane);
        }
    }
    let query = "SELECT r.seq, CASE WHEN t.enqueued_at > ? THEN 1 ELSE 0 END AS too_young, \
             CASE WHEN r.finished_at <= CASE WHEN r.status = 1 THEN ? ELSE ? END AND r.lane IN (?*) \
                 THEN 1 ELSE 0 END AS old \
         FROM @result r JOIN @task t ON t.seq = r.seq WHERE r.seq > ? ORDER BY r.seq LIMIT ?";
    let (mut deleted, mut last) = (0, 0_i64);
    loop {
        let values = [
            successful.max(failed).into(),
            successful.into(),
            failed.into(),
            lanes.clone().into(),
            last.into(),
            count(PRUNE_CHUNK).into(),
        ];
        let rows = Reader::begin(engine).await?.fetch(query, values).await?;
        let mut old = Vec::new();
        let mut at_the_end = rows.len() < PRUNE_CHUNK;
        for row in &rows {
            last = row.int("seq")?;
            if row.flag("old")? {
                old.push(last);
            }
            // Tasks are numbered as they arrive, and none ends before it arrived: behind
            // one that arrived too late there is nothing old enough.
            at_the_end |= row.flag("too_young")?;
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
        let lock = transaction.engine().locking();
        let query = format!("SELECT seq FROM @result WHERE seq IN (?*) ORDER BY seq{lock}");
        let rows = transaction.fetch(&query, [self.0.clone().into()]).await?;
        let seqs: Vec<i64> = rows.iter().map(|row| row.int("seq")).collect::<Result<_>>()?;
        for table in ["result", "task", "attempt", "rescheduled", "canceled"] {
            let delete = format!("DELETE FROM @{table} WHERE seq IN (?*)");
            transaction.run(&delete, [seqs.clone().into()]);
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
        let now = transaction.now().await?;
        transaction.run(
            "DELETE FROM @worker WHERE ended_at < coalesce((SELECT enqueued_at FROM @task ORDER BY seq LIMIT 1), ?) \
             AND \"key\" NOT IN (SELECT worker FROM @claim)",
            [now.into()],
        );
        transaction.run(unique::FORGET, [now.into()]);
        Ok(())
    }
}
