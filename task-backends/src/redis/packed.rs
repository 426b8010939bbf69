//! How tasks, results and histories are written into one value each. Numbers are big-endian.
//!
//! - A task: seq 8, enqueued at 8 (both by the script), then its body: minus the priority 1, kind of due time 1
//!   (0 none, 1 a moment, 2 a delay), moment or delay in microseconds 8, max_attempts 4, max_lost 4,
//!   length 1 and queue, length 2 and name, length 4 and arguments, length 2 and policy as JSON (empty: what the
//!   two numbers say and defaults), and the rest is the metadata (empty: none).
//! - A result: status 1 (1 successful, 2 failed, 3 canceled), batch 8, attempts 4, start 8, end 8, the value,
//!   the worker's name and its length 1.
//! - A history: attempts 4, last attempt 4, lost workers 4, due time 8 (0: as the task says), then per attempt
//!   that ended without a value: length 4, length 1 and the worker's name, batch 8, number 4, start 8, end 8 and
//!   the failure as JSON.

use std::borrow::Cow;
use std::time::Duration;

use task_core::{
    AttemptError, FailureKind, LATEST_US, NewTask, Result, RetryPolicy, RunAfter, TaskFailure, TaskId,
    TaskRecord, TaskStatus, Timestamp,
};

use super::error::corrupt;

pub(crate) const SUCCESSFUL: u8 = 1;
pub(crate) const FAILED: u8 = 2;
pub(crate) const CANCELED: u8 = 3;

/// Whether the task says a due time, which then decides where it waits.
pub(crate) fn has_due_time(task: &NewTask) -> bool {
    task.run_after.is_some()
}

/// The body of a task.
pub(crate) fn write_task(task: &NewTask, bytes: &mut Vec<u8>) -> Result<()> {
    let too_long = |what: &str| corrupt(format!("the {what} is too long"));
    let rank = i8::try_from(-task.priority).map_err(|_| corrupt("a priority beyond a hundred"))?;
    bytes.extend(rank.to_be_bytes());
    let (kind, due) = match task.run_after {
        None => (0_u8, 0),
        Some(RunAfter::At(moment)) => (1, moment.as_microsecond().min(LATEST_US)),
        Some(RunAfter::In(delay)) => (2, i64::try_from(delay.as_micros()).unwrap_or(i64::MAX)),
        Some(other) => return Err(corrupt(format!("the due time {other:?} cannot be stored"))),
    };
    bytes.push(kind);
    bytes.extend(due.to_be_bytes());
    bytes.extend(task.policy.max_attempts.to_be_bytes());
    bytes.extend(task.policy.max_lost.to_be_bytes());
    bytes.push(u8::try_from(task.queue.len()).map_err(|_| too_long("queue name"))?);
    bytes.extend(task.queue.as_bytes());
    let length = u16::try_from(task.name.len()).map_err(|_| too_long("task name"))?;
    bytes.extend(length.to_be_bytes());
    bytes.extend(task.name.as_bytes());
    let length = u32::try_from(task.arguments.len()).map_err(|_| too_long("arguments"))?;
    bytes.extend(length.to_be_bytes());
    bytes.extend(task.arguments.as_bytes());
    let policy = policy_text(&task.policy)?;
    let length = u16::try_from(policy.len()).map_err(|_| too_long("policy"))?;
    bytes.extend(length.to_be_bytes());
    bytes.extend(policy.as_bytes());
    bytes.extend(task.metadata.as_deref().unwrap_or_default().as_bytes());
    Ok(())
}

fn policy_text(policy: &RetryPolicy) -> Result<String> {
    let plain = RetryPolicy {
        max_attempts: policy.max_attempts,
        max_lost: policy.max_lost,
        ..RetryPolicy::DEFAULT
    };
    if *policy == plain {
        return Ok(String::new());
    }
    serde_json::to_string(policy).map_err(|error| corrupt(format!("a retry policy: {error}")))
}

/// What is read for people is shown as far as it can be; what is run must be what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    People,
    Running,
}

/// Reads packed values front to back.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8]> {
        let taken = self.0.split_at_checked(length);
        let (taken, rest) = taken.ok_or_else(|| corrupt("a stored value is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        taken
            .try_into()
            .map_err(|_| corrupt("a stored value is too short"))
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<usize> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    fn time(&mut self) -> Result<Timestamp> {
        timestamp(self.i64()?)
    }

    fn text(&mut self, length: usize, reading: For) -> Result<Cow<'b, str>> {
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) if reading == For::People => Ok(String::from_utf8_lossy(bytes)),
            Err(_) => Err(corrupt("a stored text is not UTF-8")),
        }
    }

    fn rest(&mut self, reading: For) -> Result<Cow<'b, str>> {
        self.text(self.0.len(), reading)
    }
}

pub(crate) fn timestamp(microseconds: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| corrupt(format!("a time of {microseconds} microseconds: {error}")))
}

/// A task as it was when it was enqueued, and its number.
pub(crate) fn read_task(id: TaskId, bytes: &[u8], reading: For) -> Result<(i64, TaskRecord)> {
    let mut reader = Reader(bytes);
    let (seq, enqueued_at) = (reader.i64()?, reader.time()?);
    let rank = i8::from_be_bytes(reader.array()?);
    let (kind, due) = (reader.u8()?, reader.i64()?);
    let run_after = match kind {
        0 => None,
        1 => Some(RunAfter::At(timestamp(due)?)),
        2 => Some(RunAfter::In(Duration::from_micros(
            u64::try_from(due).unwrap_or(0),
        ))),
        other => return Err(corrupt(format!("a due time of the unknown kind {other}"))),
    };
    let (max_attempts, max_lost) = (reader.u32()?, reader.u32()?);
    let length = usize::from(reader.u8()?);
    let queue = reader.text(length, reading)?.into();
    let length = reader.u16()?;
    let name = reader.text(length, reading)?.into();
    let length = reader.u32()? as usize;
    let arguments = reader.text(length, reading)?.into();
    let length = reader.u16()?;
    let policy = match &*reader.text(length, reading)? {
        "" => RetryPolicy {
            max_attempts,
            max_lost,
            ..RetryPolicy::DEFAULT
        },
        text => read_policy(text, reading)?,
    };
    let metadata = Some(reader.rest(reading)?).filter(|text| !text.is_empty());
    let task = NewTask {
        id,
        name,
        queue,
        priority: -i32::from(rank),
        run_after,
        arguments,
        policy,
        metadata: metadata.map(Into::into),
        unique: None,
    };
    Ok((seq, task.accepted(enqueued_at)))
}

fn read_policy(text: &str, reading: For) -> Result<RetryPolicy> {
    match serde_json::from_str(text) {
        Ok(policy) => Ok(policy),
        Err(error) if reading == For::People => {
            tracing::warn!(%error, "a stored policy is damaged and shown as the default");
            Ok(RetryPolicy::DEFAULT)
        }
        Err(error) => Err(corrupt(format!("a retry policy `{text}`")).because(error)),
    }
}

/// Why an attempt failed. It is history: that it is damaged keeps nobody from the rest.
fn read_failure(text: &[u8]) -> TaskFailure {
    serde_json::from_slice(text).unwrap_or_else(|error| {
        let message = format!("what was kept of this attempt cannot be read: {error}");
        TaskFailure::new(FailureKind::Damaged, message)
    })
}

/// What a history says beside its entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    pub(crate) last_attempt: u32,
}

/// Adds what is known of earlier attempts.
pub(crate) fn add_history(record: &mut TaskRecord, bytes: &[u8]) -> Result<History> {
    let mut reader = Reader(bytes);
    let (attempts, last_attempt, _losses, due) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.i64()?);
    record.attempts = attempts;
    if due != 0 {
        record.run_after = Some(timestamp(due)?).filter(|due| *due > record.enqueued_at);
    }
    while !reader.0.is_empty() {
        let length = reader.u32()? as usize;
        let mut entry = Reader(reader.take(length)?);
        let name = usize::from(entry.u8()?);
        let worker_id = entry.text(name, For::People)?.into_owned();
        let _batch = entry.i64()?;
        let (attempt, started_at, ended_at) = (entry.u32()?, entry.time()?, entry.time()?);
        let failure = read_failure(entry.0);
        record.started_at = record.started_at.or(Some(started_at));
        record.last_attempted_at = Some(started_at);
        record.worker_ids.push(worker_id.clone());
        record.errors.push(AttemptError {
            attempt,
            worker_id,
            started_at,
            ended_at,
            failure,
        });
    }
    Ok(History { last_attempt })
}

/// The result of an attempt, to which the script adds who ran it.
pub(crate) struct PackedResult<'v> {
    pub(crate) status: u8,
    pub(crate) batch: i64,
    pub(crate) attempt: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    pub(crate) value: &'v str,
}

impl PackedResult<'_> {
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.status);
        bytes.extend(self.batch.to_be_bytes());
        bytes.extend(self.attempt.to_be_bytes());
        bytes.extend(self.started_at.as_microsecond().to_be_bytes());
        bytes.extend(self.ended_at.as_microsecond().to_be_bytes());
        bytes.extend(self.value.as_bytes());
    }
}

/// Adds how the task ended.
pub(crate) fn add_result(record: &mut TaskRecord, bytes: &[u8]) -> Result<()> {
    let short = || corrupt("a stored result is too short");
    let (name, rest) = bytes.split_last().ok_or_else(short)?;
    let at = rest.len().checked_sub(usize::from(*name)).ok_or_else(short)?;
    let (rest, name) = rest.split_at(at);
    let mut reader = Reader(rest);
    record.status = match reader.u8()? {
        SUCCESSFUL => TaskStatus::Successful,
        FAILED => TaskStatus::Failed,
        CANCELED => TaskStatus::Canceled,
        other => return Err(corrupt(format!("a result has the unknown status {other}"))),
    };
    let _batch = reader.i64()?;
    record.attempts = reader.u32()?;
    let started_at = reader.i64()?;
    record.finished_at = Some(reader.time()?);
    if record.status == TaskStatus::Successful {
        let started_at = Some(timestamp(started_at)?);
        record.started_at = record.started_at.or(started_at);
        record.last_attempted_at = started_at;
        record.worker_ids.push(String::from_utf8_lossy(name).into_owned());
        record.return_value = Some(reader.rest(For::People)?.into_owned());
    }
    Ok(())
}

/// Adds who runs it since when: time 8, name.
pub(crate) fn add_claim(record: &mut TaskRecord, bytes: &[u8]) -> Result<()> {
    let mut reader = Reader(bytes);
    let claimed_at = reader.time()?;
    record.status = TaskStatus::Running;
    record.attempts += 1;
    record.started_at = record.started_at.or(Some(claimed_at));
    record.last_attempted_at = Some(claimed_at);
    record.worker_ids.push(reader.rest(For::People)?.into_owned());
    Ok(())
}

pub(crate) fn failure_text(failure: &TaskFailure) -> Result<String> {
    serde_json::to_string(failure).map_err(|error| corrupt(format!("a task failure: {error}")))
}
