//! Writing down how attempts ended, and how far batches were started.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use task_core::{FailureKind, Finish, LATEST_US, Outcome, Progress, Result, TaskFailure, TaskId};

use super::error::corrupt;
use super::script::{Conflict, Insert, Kind};
use super::transaction::{Transaction, Work};
use super::value::Value;

/// Which of these claims still stand. They are held until the transaction ends, so that
/// nobody takes them meanwhile.
const STANDING: &str = "SELECT id, worker FROM @claim WHERE id IN (?*) ORDER BY id";
/// Which running tasks somebody wants to end. Asked when the claims are held: whoever wants
/// to end a task holds its claim while writing that down.
const WANTED_TO_END: &str = "SELECT seq AS id, NULL AS worker FROM @cancellation";

const RESULT_COLUMNS: &[(&str, Kind)] = &[
    ("seq", Kind::Int),
    ("lane", Kind::Int),
    ("started_at", Kind::Int),
    ("finished_at", Kind::Int),
    ("value", Kind::Text),
    ("status", Kind::Int),
    ("attempt", Kind::Int),
    ("worker", Kind::Int),
];
/// How many values the row of a first attempt that succeeded has.
const USUAL_VALUES: usize = 5;

/// A lease finishes once: the same end written again changes nothing.
const ONCE: Conflict = Conflict::Stays("seq");

/// An insert of ends.
pub(crate) fn insert_result() -> Insert {
    Insert {
        table: "result",
        columns: RESULT_COLUMNS,
        constants: Vec::new(),
        conflict: ONCE,
    }
}

/// An insert of first attempts that succeeded, by this worker.
fn insert_usual(worker: i64) -> Insert {
    Insert {
        columns: &RESULT_COLUMNS[..USUAL_VALUES],
        constants: vec![("status", SUCCESSFUL), ("attempt", 1), ("worker", worker)],
        ..insert_result()
    }
}

/// An insert of failed attempts.
pub(crate) fn insert_attempt() -> Insert {
    Insert {
        table: "attempt",
        columns: &[
            ("seq", Kind::Int),
            ("number", Kind::Int),
            ("claim", Kind::Int),
            ("worker", Kind::Int),
            ("started_at", Kind::Int),
            ("ended_at", Kind::Int),
            ("failure", Kind::Text),
        ],
        constants: Vec::new(),
        conflict: ONCE,
    }
}

/// An insert of due times of tasks that run again.
fn insert_rescheduled() -> Insert {
    Insert {
        table: "rescheduled",
        columns: &[("seq", Kind::Int), ("due", Kind::Int)],
        constants: Vec::new(),
        conflict: Conflict::Replaces {
            key: "seq",
            column: "due",
        },
    }
}

/// Which of these tasks have left these claims already.
const TOLD: &str = "SELECT seq FROM @result WHERE seq IN (?*) \
     UNION SELECT seq FROM @attempt WHERE seq IN (?*) AND claim IN (?*)";

pub(crate) const SUCCESSFUL: i64 = 1;
pub(crate) const FAILED: i64 = 2;
pub(crate) const CANCELED: i64 = 3;

/// What a worker has to tell, made into rows before the store's lock is held.
pub(crate) struct FinishWork {
    progress: Arc<Progress>,
    batches: BTreeSet<i64>,
    /// The rows if every lease is valid and nothing was canceled, as it nearly always is.
    prepared: Option<Ends>,
    /// It was handed in before, and part of it may be written.
    is_again: bool,
}

impl FinishWork {
    pub(crate) fn new(progress: Arc<Progress>) -> Result<Self> {
        let finished = progress.finished.iter().map(|finish| finish.lease.batch());
        let batches = finished
            .chain(progress.started.iter().map(|(batch, _)| *batch))
            .collect();
        let prepared = Some(Ends::of(progress.finished.iter(), &BTreeSet::new())?);
        let is_again = progress.hand_in();
        Ok(Self {
            progress,
            batches,
            prepared,
            is_again,
        })
    }

    /// The tasks whose end was written when this was handed in before.
    async fn told(&self, transaction: &mut Transaction<'_>, standing: &Standing) -> Result<BTreeSet<i64>> {
        let seqs: Vec<i64> = self
            .progress
            .finished
            .iter()
            .map(|finish| finish.lease.keys()[0])
            .collect();
        let batches: Vec<i64> = standing.workers.keys().copied().collect();
        let rows = transaction
            .fetch(TOLD, [seqs.clone().into(), seqs.into(), batches.into()])
            .await?;
        rows.iter().map(|row| row.int("seq")).collect()
    }
}

#[async_trait]
impl Work for FinishWork {
    type Answer = Vec<TaskId>;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Vec<TaskId>> {
        let standing = standing(transaction, &self.batches).await?;
        let is_standing = |finish: &&Finish| standing.workers.contains_key(&finish.lease.batch());
        let finished = &self.progress.finished;
        let refused: Vec<TaskId> = finished
            .iter()
            .filter(|finish| !is_standing(finish))
            .map(|finish| finish.lease.id())
            .collect();
        let told = if self.is_again {
            self.told(transaction, &standing).await?
        } else {
            BTreeSet::new()
        };
        let is_new = |finish: &&Finish| !told.contains(&finish.lease.keys()[0]);
        let is_usual = refused.is_empty() && standing.canceled.is_empty() && told.is_empty();
        let ends = match self.prepared.take().filter(|_| is_usual) {
            Some(ends) => ends,
            None => {
                let finished = finished
                    .iter()
                    .filter(|finish| is_standing(finish) && is_new(finish));
                Ends::of(finished, &standing.canceled)?
            }
        };
        ends.write(transaction).await?;
        move_batches_on(transaction, &self.progress, &standing, &told);
        Ok(refused)
    }

    fn is_sociable(&self) -> bool {
        true
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
    let lock = transaction.engine().locking();
    transaction.run(&format!("{STANDING}{lock}"), [batches.into()]);
    let mut standing = Standing {
        workers: BTreeMap::new(),
        canceled: BTreeSet::new(),
    };
    for row in transaction.fetch(WANTED_TO_END, []).await? {
        let id = row.int("id")?;
        match row.maybe_int("worker")? {
            Some(worker) => drop(standing.workers.insert(id, worker)),
            None => drop(standing.canceled.insert(id)),
        }
    }
    Ok(standing)
}

/// The rows that the ends of attempts leave.
struct Ends {
    usual: Vec<(i64, Vec<Value>)>,
    results: Vec<Value>,
    attempts: Vec<Value>,
    retries: Vec<Retry>,
    no_longer_canceled: Vec<i64>,
}

/// A task that waits again.
pub(crate) struct Retry {
    pub(crate) seq: i64,
    pub(crate) due: i64,
    pub(crate) attempt: u32,
    pub(crate) last_attempt: u32,
}

/// Those rows while they are collected.
#[derive(Default)]
struct Collected {
    /// First attempts that succeeded, by worker: most of what there is, and the same in
    /// most columns.
    usual: BTreeMap<i64, Vec<Value>>,
    results: Vec<Value>,
    attempts: Vec<Value>,
    retries: Vec<Retry>,
    no_longer_canceled: Vec<i64>,
}

impl Ends {
    /// The rows for these ends, of which somebody wanted those in `canceled`.
    fn of<'f>(finished: impl Iterator<Item = &'f Finish>, canceled: &BTreeSet<i64>) -> Result<Self> {
        let mut rows = Collected::default();
        let count = finished.size_hint().0;
        for finish in finished {
            rows.add(finish, canceled, count)?;
        }
        Ok(Self {
            usual: rows.usual.into_iter().collect(),
            results: rows.results,
            attempts: rows.attempts,
            retries: rows.retries,
            no_longer_canceled: rows.no_longer_canceled,
        })
    }

    async fn write(self, transaction: &mut Transaction<'_>) -> Result<()> {
        for (worker, usual) in self.usual {
            transaction.insert(&insert_usual(worker), usual).await?;
        }
        transaction.insert(&insert_result(), self.results).await?;
        transaction.insert(&insert_attempt(), self.attempts).await?;
        reschedule(transaction, &self.retries).await?;
        if !self.no_longer_canceled.is_empty() {
            transaction.run(
                "DELETE FROM @cancellation WHERE seq IN (?*)",
                [self.no_longer_canceled.into()],
            );
        }
        Ok(())
    }
}

impl Collected {
    /// Adds what one end leaves; about `count` of them are to come.
    fn add(&mut self, finish: &Finish, canceled: &BTreeSet<i64>, count: usize) -> Result<()> {
        let [seq, lane, worker] = finish.lease.keys();
        let wanted_to_end = canceled.contains(&seq);
        if wanted_to_end {
            self.no_longer_canceled.push(seq);
        }
        let (status, value, failure) = match &finish.outcome {
            Outcome::Succeeded(value) => (SUCCESSFUL, Some(value), None),
            Outcome::Failed(failure) if wanted_to_end => (CANCELED, None, Some(failure)),
            Outcome::Failed(failure) => (FAILED, None, Some(failure)),
            Outcome::Canceled(failure) => (CANCELED, None, Some(failure)),
            // Somebody wanted it to end while its attempt failed by itself: no retry.
            Outcome::Retry(failure, _) if wanted_to_end => (CANCELED, None, Some(failure)),
            Outcome::Retry(failure, delay) => {
                let delay = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
                let due = finish
                    .ended_at
                    .as_microsecond()
                    .saturating_add(delay)
                    .min(LATEST_US);
                self.retries.push(Retry {
                    seq,
                    due,
                    attempt: finish.attempt,
                    last_attempt: finish.last_attempt,
                });
                return self.add_attempt(finish, failure);
            }
        };
        let values = [
            Value::from(seq),
            lane.into(),
            finish.started_at.as_microsecond().into(),
            finish.ended_at.as_microsecond().into(),
            value.filter(|value| *value != "null").map(String::as_str).into(),
        ];
        if status == SUCCESSFUL && finish.attempt == 1 {
            let usual = self
                .usual
                .entry(worker)
                .or_insert_with(|| Vec::with_capacity(count * USUAL_VALUES));
            usual.extend(values);
            return Ok(());
        }
        self.results.extend(values);
        self.results
            .extend([status.into(), finish.attempt.into(), worker.into()]);
        failure.map_or(Ok(()), |failure| self.add_attempt(finish, failure))
    }

    fn add_attempt(&mut self, finish: &Finish, failure: &TaskFailure) -> Result<()> {
        let [seq, _, worker] = finish.lease.keys();
        self.attempts.extend([
            seq.into(),
            finish.attempt.into(),
            finish.lease.batch().into(),
            worker.into(),
            finish.started_at.as_microsecond().into(),
            finish.ended_at.as_microsecond().into(),
            failure_text(failure)?.into(),
        ]);
        Ok(())
    }
}

/// Makes tasks wait until they are due again.
pub(crate) async fn reschedule(transaction: &mut Transaction<'_>, retries: &[Retry]) -> Result<()> {
    if retries.is_empty() {
        return Ok(());
    }
    let seqs: Vec<i64> = retries.iter().map(|retry| retry.seq).collect();
    let mut ranks = BTreeMap::new();
    let query = "SELECT seq, lane, \"rank\" FROM @task WHERE seq IN (?*)";
    for row in transaction.fetch(query, [seqs.into()]).await? {
        ranks.insert(row.int("seq")?, (row.int("lane")?, row.int("rank")?));
    }
    let (mut scheduled, mut rescheduled) = (Vec::new(), Vec::new());
    for retry in retries {
        let Some((lane, rank)) = ranks.get(&retry.seq) else {
            continue;
        };
        scheduled.extend([
            Value::from(retry.due),
            retry.seq.into(),
            (*lane).into(),
            (*rank).into(),
            retry.attempt.into(),
            retry.last_attempt.into(),
        ]);
        rescheduled.extend([Value::from(retry.seq), retry.due.into()]);
    }
    transaction
        .insert(&insert_waiting("scheduled"), scheduled)
        .await?;
    transaction.insert(&insert_rescheduled(), rescheduled).await?;
    transaction.made_ready = true;
    Ok(())
}

/// An insert of tasks that wait: into `ready` or `scheduled`.
pub(crate) fn insert_waiting(table: &'static str) -> Insert {
    Insert {
        table,
        columns: &[
            ("due", Kind::Int),
            ("seq", Kind::Int),
            ("lane", Kind::Int),
            ("\"rank\"", Kind::Int),
            ("attempt", Kind::Int),
            ("last_attempt", Kind::Int),
        ],
        constants: Vec::new(),
        conflict: Conflict::Fails,
    }
}

pub(crate) fn failure_text(failure: &TaskFailure) -> Result<String> {
    serde_json::to_string(failure).map_err(|error| corrupt(format!("a task failure: {error}")))
}

/// Counts down what is left of each batch; one with nothing left is gone.
fn move_batches_on(
    transaction: &mut Transaction<'_>,
    progress: &Progress,
    standing: &Standing,
    told: &BTreeSet<i64>,
) {
    let mut ended: BTreeMap<i64, i64> = BTreeMap::new();
    for finish in progress
        .finished
        .iter()
        .filter(|finish| !told.contains(&finish.lease.keys()[0]))
    {
        *ended.entry(finish.lease.batch()).or_default() += 1;
    }
    for (batch, started) in &progress.started {
        if standing.workers.contains_key(batch) {
            let ended = ended.remove(batch).unwrap_or(0);
            transaction.run_last(
                "UPDATE @claim SET remaining = remaining - ?, \
                     started = CASE WHEN started < ? THEN ? ELSE started END WHERE id = ?",
                [
                    ended.into(),
                    (*started).into(),
                    (*started).into(),
                    (*batch).into(),
                ],
            );
        }
    }
    for (batch, ended) in ended {
        transaction.run_last(
            "UPDATE @claim SET remaining = remaining - ? WHERE id = ?",
            [ended.into(), batch.into()],
        );
    }
    let touched: Vec<i64> = standing.workers.keys().copied().collect();
    transaction.run_last(
        "DELETE FROM @claim WHERE remaining <= 0 AND id IN (?*)",
        [touched.into()],
    );
}

/// The failure of a task whose worker was lost.
pub(crate) fn lost(worker: &str, times: u32, max_lost: u32) -> TaskFailure {
    let message = if max_lost == 0 {
        format!("the worker {worker} was lost while the task ran, and it may not run twice (max_lost = 0)")
    } else if times > max_lost {
        format!(
            "the worker {worker} was lost while the task ran; that makes {times}, and max_lost is {max_lost}"
        )
    } else {
        format!("the worker {worker} was lost while the task ran")
    };
    TaskFailure::new(FailureKind::WorkerLost, message)
}
