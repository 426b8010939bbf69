//! From rows to records: the one place that says what a task's state is.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};
use task_core::{
    AttemptError, FailureKind, Result, RetryPolicy, TaskFailure, TaskId, TaskRecord, TaskStatus, Timestamp,
};

use super::error::{corrupt, from_sqlx};
use super::finish::{CANCELED, FAILED, SUCCESSFUL};
use super::json::parse;
use super::listed;

/// Everything about tasks but who runs them now; `{tasks}` selects which.
const RECORDS: &str = "SELECT t.seq, t.id, l.queue, l.name, t.rank, coalesce(m.due, t.due) AS due, t.enqueued_at, t.arguments, t.policy, t.metadata, \
         r.status, r.attempt, w.id AS worker, r.started_at, r.finished_at, r.value, \
         (r.seq IS NULL AND (EXISTS (SELECT 1 FROM ready q WHERE q.lane = t.lane AND q.rank = t.rank \
                 AND q.due = coalesce(m.due, t.due) AND q.seq = t.seq) \
             OR EXISTS (SELECT 1 FROM scheduled s WHERE s.due = coalesce(m.due, t.due) AND s.seq = t.seq))) AS waiting, \
         (SELECT json_group_array(json_array(a.number, v.id, a.started_at, a.ended_at, a.failure)) FROM \
             (SELECT * FROM attempt WHERE seq = t.seq ORDER BY number) a JOIN worker v ON v.key = a.worker) AS history \
     FROM task t JOIN lane l ON l.id = t.lane \
     LEFT JOIN result r ON r.seq = t.seq LEFT JOIN worker w ON w.key = r.worker \
     LEFT JOIN rescheduled m ON m.seq = t.seq";

/// Who runs what since when.
pub(crate) const CLAIMS: &str =
    "SELECT w.id AS worker, c.claimed_at, c.tasks FROM claim c JOIN worker w ON w.key = c.worker";

/// A time as the store keeps it.
pub(crate) fn timestamp(microseconds: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| corrupt(format!("a time of {microseconds} microseconds: {error}")))
}

/// A policy as the store keeps it.
pub(crate) fn read_policy(text: Option<&str>) -> Result<RetryPolicy> {
    let Some(text) = text else {
        return Ok(RetryPolicy::DEFAULT);
    };
    serde_json::from_str(text).map_err(|error| corrupt(format!("a retry policy `{text}`")).because(error))
}

/// A policy for whoever only looks, or puts a task back: the default where it cannot be read.
/// Running the task takes [`read_policy`].
pub(crate) fn policy_or_default(text: Option<&str>) -> RetryPolicy {
    read_policy(text).unwrap_or_else(|error| {
        tracing::warn!(%error, "a stored policy is damaged and shown as the default");
        RetryPolicy::DEFAULT
    })
}

/// Why an attempt failed, as the store keeps it. It is history: that it is damaged keeps
/// nobody from the rest.
pub(crate) fn read_failure(text: &str) -> TaskFailure {
    serde_json::from_str(text).unwrap_or_else(|error| {
        let message = format!("what was kept of this attempt cannot be read: {error}");
        TaskFailure::new(FailureKind::Damaged, message)
    })
}

/// One task by its id.
pub(crate) async fn find(readers: &SqlitePool, id: TaskId) -> Result<Option<TaskRecord>> {
    let mut transaction = readers.begin().await.map_err(from_sqlx)?;
    let query = format!("{RECORDS} WHERE t.id = ?");
    let row = sqlx::query(AssertSqlSafe(query))
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(from_sqlx)?;
    let Some(row) = row else { return Ok(None) };
    Ok(read(&mut transaction, vec![row])
        .await?
        .pop()
        .map(|(_, record)| record))
}

/// The tasks with these numbers, the largest first, each with its number.
pub(crate) async fn of_seqs(connection: &mut SqliteConnection, seqs: &str) -> Result<Vec<(i64, TaskRecord)>> {
    let query = format!("{RECORDS} WHERE t.seq IN (SELECT value FROM json_each(?)) ORDER BY t.seq DESC");
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(seqs)
        .fetch_all(&mut *connection)
        .await
        .map_err(from_sqlx)?;
    read(connection, rows).await
}

async fn read(connection: &mut SqliteConnection, rows: Vec<SqliteRow>) -> Result<Vec<(i64, TaskRecord)>> {
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push((row.try_get("seq").map_err(from_sqlx)?, read_row(row)?));
    }
    if records
        .iter()
        .any(|(_, record)| record.status == TaskStatus::Running)
    {
        let running = running(connection).await?;
        for (seq, record) in &mut records {
            if record.status == TaskStatus::Running
                && let Some((worker, claimed_at)) = running.get(seq)
            {
                record.attempts += 1;
                record.worker_ids.push(worker.clone());
                record.started_at = record.started_at.or(Some(*claimed_at));
                record.last_attempted_at = Some(*claimed_at);
            }
        }
    }
    Ok(records)
}

/// Who holds which task since when, from the claims' lists.
async fn running(connection: &mut SqliteConnection) -> Result<BTreeMap<i64, (String, Timestamp)>> {
    let mut running = BTreeMap::new();
    for row in sqlx::query(CLAIMS)
        .fetch_all(connection)
        .await
        .map_err(from_sqlx)?
    {
        let worker: String = row.try_get("worker").map_err(from_sqlx)?;
        let claimed_at = timestamp(row.try_get("claimed_at").map_err(from_sqlx)?)?;
        let tasks = listed::read(row.try_get("tasks").map_err(from_sqlx)?)?;
        running.extend(tasks.iter().map(|task| (task.seq, (worker.clone(), claimed_at))));
    }
    Ok(running)
}

fn text(row: &SqliteRow, column: &str) -> Result<Arc<str>> {
    // As bytes: damaged text is shown as far as it can be.
    let bytes: &[u8] = row.try_get(column).map_err(from_sqlx)?;
    Ok(String::from_utf8_lossy(bytes).into())
}

type Attempt = (u32, String, i64, i64, String);

fn read_row(row: &SqliteRow) -> Result<TaskRecord> {
    let id: &[u8] = row.try_get("id").map_err(from_sqlx)?;
    let id = TaskId::from_bytes(id).ok_or_else(|| corrupt(format!("a task id of {} bytes", id.len())))?;
    let rank: i64 = row.try_get("rank").map_err(from_sqlx)?;
    let due = timestamp(row.try_get("due").map_err(from_sqlx)?)?;
    let enqueued_at = timestamp(row.try_get("enqueued_at").map_err(from_sqlx)?)?;
    let attempts: Vec<Attempt> = parse(row.try_get("history").map_err(from_sqlx)?)?;
    let mut errors = Vec::with_capacity(attempts.len());
    for (attempt, worker_id, started_at, ended_at, failure) in attempts {
        let (started_at, ended_at) = (timestamp(started_at)?, timestamp(ended_at)?);
        errors.push(AttemptError {
            attempt,
            worker_id,
            started_at,
            ended_at,
            failure: read_failure(&failure),
        });
    }
    let mut record = TaskRecord {
        id,
        name: text(row, "name")?,
        queue: text(row, "queue")?,
        priority: i32::try_from(-rank).map_err(|_| corrupt(format!("a rank of {rank}")))?,
        run_after: (due > enqueued_at).then_some(due),
        arguments: text(row, "arguments")?,
        policy: policy_or_default(row.try_get("policy").map_err(from_sqlx)?),
        metadata: row
            .try_get::<Option<&str>, _>("metadata")
            .map_err(from_sqlx)?
            .map(Into::into),
        status: TaskStatus::Running,
        enqueued_at,
        started_at: errors.first().map(|error| error.started_at),
        last_attempted_at: errors.last().map(|error| error.started_at),
        finished_at: None,
        attempts: u32::try_from(errors.len()).unwrap_or(u32::MAX),
        worker_ids: errors.iter().map(|error| error.worker_id.clone()).collect(),
        errors,
        return_value: None,
    };
    let waiting: bool = row.try_get("waiting").map_err(from_sqlx)?;
    let status: Option<i64> = row.try_get("status").map_err(from_sqlx)?;
    match status {
        Some(status) => add_result(row, status, &mut record)?,
        None if waiting => record.status = TaskStatus::Ready,
        None => {}
    }
    Ok(record)
}

fn add_result(row: &SqliteRow, status: i64, record: &mut TaskRecord) -> Result<()> {
    record.status = match status {
        SUCCESSFUL => TaskStatus::Successful,
        FAILED => TaskStatus::Failed,
        CANCELED => TaskStatus::Canceled,
        other => {
            return Err(corrupt(format!(
                "column result.status has the unknown value {other}"
            )));
        }
    };
    record.attempts = row.try_get("attempt").map_err(from_sqlx)?;
    record.finished_at = Some(timestamp(row.try_get("finished_at").map_err(from_sqlx)?)?);
    if record.status == TaskStatus::Successful {
        let value: Option<String> = row.try_get("value").map_err(from_sqlx)?;
        record.return_value = Some(value.unwrap_or_else(|| "null".to_owned()));
        let worker: Option<String> = row.try_get("worker").map_err(from_sqlx)?;
        record.worker_ids.extend(worker);
        let started_at: Option<i64> = row.try_get("started_at").map_err(from_sqlx)?;
        let started_at = started_at.map(timestamp).transpose()?;
        record.started_at = record.started_at.or(started_at);
        record.last_attempted_at = started_at;
    }
    Ok(())
}
