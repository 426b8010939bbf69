//! Writing down how attempts ended, and how far batches were started.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Row as _;
use task_core::{ClaimRequest, FailureKind, Finish, Finished, Outcome, Progress, Result, TaskFailure};

use super::claim::{claim, json, parse};
use super::error::{corrupt, from_sqlx};
use super::script::Value;
use super::writer::{Transaction, Work};

/// Which of these claims still stand, and which running tasks somebody wants to end.
const STANDING: &str = "SELECT \
     (SELECT json_group_array(json_array(id, worker)) FROM claim WHERE id IN (SELECT value FROM json_each(?))) AS claims, \
     (SELECT json_group_array(seq) FROM cancellation) AS canceled";

const INSERT_RESULT: &str =
    "INSERT INTO result (seq, status, lane, worker, attempt, started_at, finished_at, value)";
const RESULT_COLUMNS: usize = 8;

pub(crate) const INSERT_ATTEMPT: &str =
    "INSERT INTO attempt (seq, number, claim, worker, started_at, ended_at, failure)";
pub(crate) const ATTEMPT_COLUMNS: usize = 7;

/// A lease finishes once: the same end written again changes nothing.
pub(crate) const ONCE: &str = " ON CONFLICT DO NOTHING";

pub(crate) const SUCCESSFUL: i64 = 1;
pub(crate) const FAILED: i64 = 2;
pub(crate) const CANCELED: i64 = 3;

pub(crate) struct FinishWork {
    pub(crate) progress: Arc<Progress>,
    pub(crate) next: Option<ClaimRequest>,
}

#[async_trait]
impl Work for FinishWork {
    type Answer = Finished;

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<Finished> {
        let refused = write(transaction, &self.progress).await?;
        let claim = match &self.next {
            Some(request) => claim(transaction, request).await?,
            None => task_core::Claim::default(),
        };
        Ok(Finished { refused, claim })
    }
}

/// The claims that still stand, with their workers, and the tasks to be canceled.
pub(crate) struct Standing {
    pub(crate) workers: BTreeMap<i64, i64>,
    pub(crate) canceled: BTreeSet<i64>,
}

/// Looks which of these claims still stand.
pub(crate) async fn standing(transaction: &mut Transaction<'_>, batches: &BTreeSet<i64>) -> Result<Standing> {
    let batches: Vec<i64> = batches.iter().copied().collect();
    let rows = transaction.fetch(STANDING, [json(&batches)?.into()]).await?;
    let row = rows
        .first()
        .ok_or_else(|| corrupt("a query without FROM returned no row"))?;
    let workers: Vec<(i64, i64)> = parse(row.try_get("claims").map_err(from_sqlx)?)?;
    let canceled: Vec<i64> = parse(row.try_get("canceled").map_err(from_sqlx)?)?;
    Ok(Standing {
        workers: workers.into_iter().collect(),
        canceled: canceled.into_iter().collect(),
    })
}

/// Writes the progress of a worker and returns the tasks whose lease was no longer valid.
async fn write(transaction: &mut Transaction<'_>, progress: &Progress) -> Result<Vec<task_core::TaskId>> {
    let batches: BTreeSet<i64> = progress
        .finished
        .iter()
        .map(|finish| finish.lease.batch())
        .chain(progress.started.iter().map(|(batch, _)| *batch))
        .collect();
    let standing = standing(transaction, &batches).await?;
    let mut ends = Ends::default();
    let mut refused = Vec::new();
    for finish in &progress.finished {
        match standing.workers.get(&finish.lease.batch()) {
            Some(worker) => ends.add(finish, *worker, &standing.canceled)?,
            None => refused.push(finish.lease.id()),
        }
    }
    ends.write(transaction).await?;
    move_batches_on(transaction, progress, &standing)?;
    Ok(refused)
}

/// The rows that the ends of attempts leave.
#[derive(Default)]
struct Ends {
    results: Vec<Value>,
    attempts: Vec<Value>,
    retries: Vec<(i64, i64, u32, u32)>,
    no_longer_canceled: Vec<i64>,
}

impl Ends {
    fn add(&mut self, finish: &Finish, worker: i64, canceled: &BTreeSet<i64>) -> Result<()> {
        let [seq, lane] = finish.lease.keys();
        let wanted_to_end = canceled.contains(&seq);
        if wanted_to_end {
            self.no_longer_canceled.push(seq);
        }
        let (status, value, failure) = match &finish.outcome {
            Outcome::Succeeded(value) => (SUCCESSFUL, Some(value), None),
            Outcome::Failed(failure) => (FAILED, None, Some(failure)),
            Outcome::Canceled(failure) => (CANCELED, None, Some(failure)),
            // Somebody wanted it to end while its attempt failed by itself: no retry.
            Outcome::Retry(failure, _) if wanted_to_end => (CANCELED, None, Some(failure)),
            Outcome::Retry(failure, delay) => {
                let delay = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
                let due = finish.ended_at.as_microsecond().saturating_add(delay);
                self.retries.push((seq, due, finish.attempt, finish.last_attempt));
                return self.add_attempt(finish, worker, failure);
            }
        };
        self.results.extend([
            seq.into(),
            status.into(),
            lane.into(),
            worker.into(),
            finish.attempt.into(),
            finish.started_at.as_microsecond().into(),
            finish.ended_at.as_microsecond().into(),
            value.filter(|value| *value != "null").cloned().into(),
        ]);
        failure.map_or(Ok(()), |failure| self.add_attempt(finish, worker, failure))
    }

    fn add_attempt(&mut self, finish: &Finish, worker: i64, failure: &TaskFailure) -> Result<()> {
        self.attempts.extend([
            finish.lease.keys()[0].into(),
            finish.attempt.into(),
            finish.lease.batch().into(),
            worker.into(),
            finish.started_at.as_microsecond().into(),
            finish.ended_at.as_microsecond().into(),
            failure_text(failure)?.into(),
        ]);
        Ok(())
    }

    async fn write(self, transaction: &mut Transaction<'_>) -> Result<()> {
        transaction
            .insert(INSERT_RESULT, ONCE, RESULT_COLUMNS, self.results)
            .await?;
        transaction
            .insert(INSERT_ATTEMPT, ONCE, ATTEMPT_COLUMNS, self.attempts)
            .await?;
        for (seq, due, attempt, last_attempt) in self.retries {
            reschedule(transaction, seq, due, attempt, last_attempt);
            transaction.made_ready = true;
        }
        if !self.no_longer_canceled.is_empty() {
            let seqs = json(&self.no_longer_canceled)?;
            transaction.run(
                "DELETE FROM cancellation WHERE seq IN (SELECT value FROM json_each(?))",
                [seqs.into()],
            );
        }
        Ok(())
    }
}

/// Makes a task wait until `due`, with so many attempts behind it.
pub(crate) fn reschedule(
    transaction: &mut Transaction<'_>,
    seq: i64,
    due: i64,
    attempt: u32,
    last_attempt: u32,
) {
    transaction.run(
        "INSERT INTO scheduled (due, seq, lane, rank, attempt, last_attempt) \
         SELECT ?, seq, lane, rank, ?, ? FROM task WHERE seq = ?",
        [due.into(), attempt.into(), last_attempt.into(), seq.into()],
    );
    transaction.run(
        "INSERT OR REPLACE INTO rescheduled (seq, due) VALUES (?, ?)",
        [seq.into(), due.into()],
    );
}

pub(crate) fn failure_text(failure: &TaskFailure) -> Result<String> {
    serde_json::to_string(failure).map_err(|error| corrupt(format!("a task failure: {error}")))
}

/// Counts down what is left of each batch; one with nothing left is gone.
fn move_batches_on(
    transaction: &mut Transaction<'_>,
    progress: &Progress,
    standing: &Standing,
) -> Result<()> {
    let mut ended: BTreeMap<i64, i64> = BTreeMap::new();
    for finish in &progress.finished {
        *ended.entry(finish.lease.batch()).or_default() += 1;
    }
    for (batch, started) in &progress.started {
        if standing.workers.contains_key(batch) {
            let ended = ended.remove(batch).unwrap_or(0);
            transaction.run(
                "UPDATE claim SET remaining = remaining - ?, started = max(started, ?) WHERE id = ?",
                [ended.into(), (*started).into(), (*batch).into()],
            );
        }
    }
    for (batch, ended) in ended {
        transaction.run(
            "UPDATE claim SET remaining = remaining - ? WHERE id = ?",
            [ended.into(), batch.into()],
        );
    }
    let touched: Vec<i64> = standing.workers.keys().copied().collect();
    transaction.run(
        "DELETE FROM claim WHERE remaining <= 0 AND id IN (SELECT value FROM json_each(?))",
        [json(&touched)?.into()],
    );
    Ok(())
}

/// The failure of a task whose worker was lost.
pub(crate) fn lost(worker: &str, times: u32, max_lost: u32) -> TaskFailure {
    let message = if max_lost == 0 {
        format!("the worker {worker} was lost while the task ran, and it may not run twice (max_lost = 0)")
    } else if times > max_lost {
        format!("the worker {worker} was lost while the task ran, the {times}th one; max_lost is {max_lost}")
    } else {
        format!("the worker {worker} was lost while the task ran")
    };
    TaskFailure::new(FailureKind::WorkerLost, message)
}
