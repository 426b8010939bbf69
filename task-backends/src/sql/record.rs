//! From rows to records: the one place that says what a task's state is.

use std::collections::BTreeMap;
use std::sync::Arc;

use task_core::{
    AttemptError, CancelRequest, FailureKind, Result, RetryPolicy, TaskFailure, TaskId, TaskRecord,
    TaskStatus, Timestamp,
};

use super::damage::shown;
use super::engine::Engine;
use super::error::corrupt;
use super::finish::{CANCELED, FAILED, SUCCESSFUL};
use super::listed;
use super::transaction::Reader;
use super::value::{Row, Value};

/// Everything about tasks but their attempts and who runs them now.
const RECORDS: &str = "SELECT t.seq, t.id, l.queue, l.name, t.\"rank\", coalesce(m.due, t.due) AS due, \
         t.enqueued_at, t.arguments, t.policy, t.metadata, \
         r.status, r.attempt, w.id AS worker, r.started_at, r.finished_at, r.value, \
         CASE WHEN r.seq IS NULL AND (EXISTS (SELECT 1 FROM @ready q WHERE q.lane = t.lane AND q.\"rank\" = t.\"rank\" \
                 AND q.due = coalesce(m.due, t.due) AND q.seq = t.seq) \
             OR EXISTS (SELECT 1 FROM @scheduled s WHERE s.due = coalesce(m.due, t.due) AND s.seq = t.seq)) \
             THEN 1 ELSE 0 END AS waiting \
     FROM @task t JOIN @lane l ON l.id = t.lane \
     LEFT JOIN @result r ON r.seq = t.seq LEFT JOIN @worker w ON w.\"key\" = r.worker \
     LEFT JOIN @rescheduled m ON m.seq = t.seq";

/// The attempts of tasks that ended without a return value, in order.
const ATTEMPTS: &str = "SELECT a.seq, a.number, w.id AS worker, a.started_at, a.ended_at, a.failure \
     FROM @attempt a JOIN @worker w ON w.\"key\" = a.worker WHERE a.seq IN (?*) ORDER BY a.seq, a.number";

/// Who runs what since when; where a retry went to another worker while its first batch goes
/// on, the later claim comes later.
pub(crate) const CLAIMS: &str = "SELECT w.id AS worker, c.claimed_at, c.tasks FROM @claim c JOIN @worker w ON w.\"key\" = c.worker ORDER BY c.id";

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
pub(crate) async fn find(engine: &Arc<dyn Engine>, id: TaskId) -> Result<Option<TaskRecord>> {
    let mut reader = Reader::begin(engine).await?;
    let query = format!("{RECORDS} WHERE t.id = ?");
    let rows = reader.fetch(&query, [id.into()]).await?;
    Ok(read(&mut reader, rows).await?.pop().map(|(_, record)| record))
}

/// The tasks with these numbers, the largest first, each with its number.
pub(crate) async fn of_seqs(reader: &mut Reader, seqs: &[i64]) -> Result<Vec<(i64, TaskRecord)>> {
    let query = format!("{RECORDS} WHERE t.seq IN (?*) ORDER BY t.seq DESC");
    let rows = reader.fetch(&query, [Value::List(seqs.to_vec())]).await?;
    read(reader, rows).await
}

async fn read(reader: &mut Reader, rows: Vec<Row>) -> Result<Vec<(i64, TaskRecord)>> {
    let mut attempts = attempts_of(reader, &rows).await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        let seq = row.int("seq")?;
        records.push((seq, read_row(row, attempts.remove(&seq).unwrap_or_default())?));
    }
    add_cancel_requests(reader, &mut records).await?;
    if records
        .iter()
        .any(|(_, record)| record.status == TaskStatus::Running)
    {
        let running = running(reader).await?;
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

/// Adds who wanted them to end to tasks that were canceled.
async fn add_cancel_requests(reader: &mut Reader, records: &mut [(i64, TaskRecord)]) -> Result<()> {
    let canceled = records
        .iter()
        .filter(|(_, record)| record.status == TaskStatus::Canceled);
    let seqs: Vec<i64> = canceled.map(|(seq, _)| *seq).collect();
    if seqs.is_empty() {
        return Ok(());
    }
    let query = "SELECT seq, request FROM @canceled WHERE seq IN (?*)";
    let mut requests: BTreeMap<i64, CancelRequest> = BTreeMap::new();
    for row in reader.fetch(query, [seqs.into()]).await? {
        // It is history: that it is damaged keeps nobody from the rest.
        let request = serde_json::from_str(&row.text("request")?).unwrap_or_default();
        requests.insert(row.int("seq")?, request);
    }
    for (seq, record) in records {
        record.cancel_request = requests.remove(seq);
    }
    Ok(())
}

/// The failed attempts of these tasks, by number.
async fn attempts_of(reader: &mut Reader, rows: &[Row]) -> Result<BTreeMap<i64, Vec<AttemptError>>> {
    let mut seqs = Vec::new();
    for row in rows {
        // A first attempt that succeeded has none before it.
        let is_first = (row.maybe_int("status")?, row.maybe_int("attempt")?) == (Some(SUCCESSFUL), Some(1));
        if !is_first {
            seqs.push(row.int("seq")?);
        }
    }
    let mut attempts: BTreeMap<i64, Vec<AttemptError>> = BTreeMap::new();
    if !seqs.is_empty() {
        for row in reader.fetch(ATTEMPTS, [seqs.into()]).await? {
            attempts
                .entry(row.int("seq")?)
                .or_default()
                .push(read_attempt(&row)?);
        }
    }
    Ok(attempts)
}

/// A row of failed attempts.
pub(crate) fn read_attempt(row: &Row) -> Result<AttemptError> {
    Ok(AttemptError {
        attempt: row.number("number")?,
        worker_id: row.text("worker")?.to_string(),
        started_at: timestamp(row.int("started_at")?)?,
        ended_at: timestamp(row.int("ended_at")?)?,
        failure: read_failure(&row.text("failure")?),
    })
}

/// Who holds which task since when, from the claims' lists.
async fn running(reader: &mut Reader) -> Result<BTreeMap<i64, (String, Timestamp)>> {
    let mut running = BTreeMap::new();
    for row in reader.fetch(CLAIMS, []).await? {
        let worker = row.text("worker")?.to_string();
        let claimed_at = timestamp(row.int("claimed_at")?)?;
        let tasks = listed::read(&row.text("tasks")?)?;
        running.extend(tasks.iter().map(|task| (task.seq, (worker.clone(), claimed_at))));
    }
    Ok(running)
}

fn read_row(row: &Row, errors: Vec<AttemptError>) -> Result<TaskRecord> {
    let rank = row.int("rank")?;
    let due = timestamp(row.int("due")?)?;
    let enqueued_at = timestamp(row.int("enqueued_at")?)?;
    let mut record = TaskRecord {
        id: row.id("id")?,
        name: shown(row.text("name")?),
        queue: shown(row.text("queue")?),
        priority: i32::try_from(-rank).map_err(|_| corrupt(format!("a rank of {rank}")))?,
        run_after: (due > enqueued_at).then_some(due),
        arguments: shown(row.text("arguments")?),
        policy: policy_or_default(row.maybe_text("policy")?.as_deref()),
        metadata: row.maybe_text("metadata")?,
        status: TaskStatus::Running,
        enqueued_at,
        started_at: errors.first().map(|error| error.started_at),
        last_attempted_at: errors.last().map(|error| error.started_at),
        finished_at: None,
        attempts: u32::try_from(errors.len()).unwrap_or(u32::MAX),
        worker_ids: errors.iter().map(|error| error.worker_id.clone()).collect(),
        errors,
        return_value: None,
        cancel_request: None,
    };
    match row.maybe_int("status")? {
        Some(status) => add_result(row, status, &mut record)?,
        None if row.flag("waiting")? => record.status = TaskStatus::Ready,
        None => {}
    }
    Ok(record)
}

fn add_result(row: &Row, status: i64, record: &mut TaskRecord) -> Result<()> {
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
    record.attempts = row.number("attempt")?;
    record.finished_at = Some(timestamp(row.int("finished_at")?)?);
    if record.status == TaskStatus::Successful {
        let value = row.maybe_text("value")?;
        record.return_value = Some(value.map_or_else(|| "null".to_owned(), |value| value.to_string()));
        let worker = row.maybe_text("worker")?;
        record.worker_ids.extend(worker.map(|worker| worker.to_string()));
        let started_at = row.maybe_int("started_at")?.map(timestamp).transpose()?;
        record.started_at = record.started_at.or(started_at);
        record.last_attempted_at = started_at;
    }
    Ok(())
}
