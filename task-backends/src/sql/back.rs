//! Tasks that go back to where they waited, or end because they may not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{FailureKind, GivenBack, LATEST_US, Result, RetryPolicy, TaskFailure};

use super::claim::Unheard;
use super::error::corrupt;
use super::finish::{
    CANCELED, FAILED, Retry, Standing, failure_text, insert_attempt, insert_result, insert_waiting,
    reschedule, standing,
};
use super::json::count;
use super::listed::{self, Listed};
use super::record::{policy_or_default, read_failure};
use super::transaction::{Transaction, Work};
use super::value::Value;

/// Where tasks waited: they keep their due time and so their place.
const PLACES: &str = "SELECT t.seq, t.lane, t.\"rank\", coalesce(m.due, t.due) AS due \
     FROM @task t LEFT JOIN @rescheduled m ON m.seq = t.seq WHERE t.seq IN (?*)";

/// Why earlier attempts of these tasks failed.
const FAILURES: &str = "SELECT seq, failure FROM @attempt WHERE seq IN (?*)";

/// A task that was claimed and goes back.
pub(crate) struct Returning {
    pub(crate) seq: i64,
    pub(crate) batch: i64,
    pub(crate) worker: i64,
    /// Attempts so far, the interrupted one not counted.
    pub(crate) attempt: u32,
    pub(crate) last_attempt: u32,
    /// When it was started and why it did not end; `None` when it was not started.
    pub(crate) started: Option<(i64, TaskFailure)>,
    /// How long it wants to wait.
    pub(crate) snooze: Option<Duration>,
}

impl Returning {
    fn unstarted(task: &Listed, batch: i64, worker: i64) -> Self {
        Self {
            seq: task.seq,
            batch,
            worker,
            attempt: task.attempt,
            last_attempt: task.last_attempt,
            started: None,
            snooze: None,
        }
    }
}

pub(crate) struct GiveBackWork(pub(crate) Arc<Vec<GivenBack>>);

#[async_trait]
impl Work for GiveBackWork {
    /// The numbers of the tasks that ended.
    type Answer = Vec<i64>;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Vec<i64>> {
        let batches: BTreeSet<i64> = self.0.iter().map(|task| task.lease.batch()).collect();
        let standing = standing(transaction, &batches).await?;
        let held = held(transaction, &standing).await?;
        let mut returning = Vec::new();
        let mut gone: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for task in self.0.iter() {
            let (batch, [seq, ..]) = (task.lease.batch(), task.lease.keys());
            let Some(worker) = standing.workers.get(&batch) else {
                continue;
            };
            // It was handed in before, and only the answer was lost.
            if !held.contains(&(batch, seq)) {
                continue;
            }
            gone.entry(batch).or_default().insert(seq);
            let started = task
                .interrupted
                .as_ref()
                .map(|(started_at, failure)| (started_at.as_microsecond(), failure.clone()));
            let attempt = task.attempt.saturating_sub(1);
            returning.push(Returning {
                seq,
                batch,
                worker: *worker,
                attempt,
                last_attempt: task.last_attempt,
                started,
                snooze: task.snooze,
            });
        }
        let ended = put_back(transaction, &returning, &standing).await?;
        for (batch, seqs) in gone {
            strike_off(transaction, batch, &seqs).await?;
        }
        Ok(ended)
    }

    fn is_sociable(&self) -> bool {
        true
    }
}

/// The tasks on the lists of these claims, which are held.
async fn held(transaction: &mut Transaction<'_>, standing: &Standing) -> Result<BTreeSet<(i64, i64)>> {
    let batches: Vec<i64> = standing.workers.keys().copied().collect();
    let mut held = BTreeSet::new();
    if batches.is_empty() {
        return Ok(held);
    }
    let query = "SELECT id, tasks FROM @claim WHERE id IN (?*)";
    for row in transaction.fetch(query, [batches.into()]).await? {
        let id = row.int("id")?;
        let list = listed::read(&row.text("tasks")?)?;
        held.extend(list.iter().map(|task| (id, task.seq)));
    }
    Ok(held)
}

/// Puts the tasks of these claims back, of which the worker never heard: nothing of them
/// was started.
pub(crate) async fn return_unheard(
    transaction: &mut Transaction<'_>,
    worker: i64,
    unheard: Unheard,
) -> Result<()> {
    let lock = transaction.engine().locking();
    let query =
        format!("SELECT id, tasks FROM @claim WHERE worker = ? AND (id IN (?*) OR id > ?) ORDER BY id{lock}");
    let values = [worker.into(), unheard.numbers.into(), unheard.behind.into()];
    let rows = transaction.fetch(&query, values).await?;
    for row in rows {
        let id = row.int("id")?;
        let tasks = listed::read(&row.text("tasks")?)?;
        let returning: Vec<_> = tasks
            .iter()
            .map(|task| Returning::unstarted(task, id, worker))
            .collect();
        let standing = standing(transaction, &BTreeSet::from([id])).await?;
        put_back(transaction, &returning, &standing).await?;
        transaction.run("DELETE FROM @claim WHERE id = ?", [id.into()]);
    }
    Ok(())
}

/// Takes tasks off a claim's list, so that a rescuer does not return them again.
async fn strike_off(transaction: &mut Transaction<'_>, batch: i64, seqs: &BTreeSet<i64>) -> Result<()> {
    let rows = transaction
        .fetch("SELECT tasks FROM @claim WHERE id = ?", [batch.into()])
        .await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let mut list = listed::read(&row.text("tasks")?)?;
    // The list keeps its length, because positions in it say what was started.
    for task in list.iter_mut().filter(|task| seqs.contains(&task.seq)) {
        task.seq = 0;
    }
    transaction.run(
        "UPDATE @claim SET tasks = ?, remaining = remaining - ? WHERE id = ?",
        [
            listed::write(&list).into(),
            count(seqs.len()).into(),
            batch.into(),
        ],
    );
    transaction.run(
        "DELETE FROM @claim WHERE remaining <= 0 AND id = ?",
        [batch.into()],
    );
    Ok(())
}

/// What is stored about tasks that may have lost workers before.
pub(crate) struct Histories(BTreeMap<i64, (RetryPolicy, u32)>);

impl Histories {
    pub(crate) async fn read(
        transaction: &mut Transaction<'_>,
        seqs: impl Iterator<Item = i64>,
    ) -> Result<Self> {
        let seqs: Vec<i64> = seqs.filter(|seq| *seq > 0).collect();
        let mut histories = BTreeMap::new();
        if seqs.is_empty() {
            return Ok(Self(histories));
        }
        let query = "SELECT seq, policy FROM @task WHERE seq IN (?*)";
        for row in transaction.fetch(query, [seqs.clone().into()]).await? {
            let policy = policy_or_default(row.maybe_text("policy")?.as_deref());
            histories.insert(row.int("seq")?, (policy, 0));
        }
        for row in transaction.fetch(FAILURES, [seqs.into()]).await? {
            let failure = read_failure(&row.text("failure")?);
            if failure.kind == FailureKind::WorkerLost
                && let Some((_, losses)) = histories.get_mut(&row.int("seq")?)
            {
                *losses += 1;
            }
        }
        Ok(Self(histories))
    }

    pub(crate) fn of(&self, seq: i64) -> Result<(RetryPolicy, u32)> {
        self.0
            .get(&seq)
            .copied()
            .ok_or_else(|| corrupt(format!("task {seq} is claimed but not there")))
    }
}

/// Puts tasks back where they waited; those that may not run again end. Returns the numbers
/// of those.
pub(crate) async fn put_back(
    transaction: &mut Transaction<'_>,
    tasks: &[Returning],
    standing: &Standing,
) -> Result<Vec<i64>> {
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let started = tasks
        .iter()
        .filter(|task| task.started.is_some())
        .map(|task| task.seq);
    let histories = Histories::read(transaction, started).await?;
    let seqs: Vec<i64> = tasks.iter().map(|task| task.seq).collect();
    let mut places = BTreeMap::new();
    for row in transaction.fetch(PLACES, [seqs.into()]).await? {
        places.insert(
            row.int("seq")?,
            (row.int("lane")?, row.int("rank")?, row.int("due")?),
        );
    }
    let mut going = Going::new(transaction.now().await?, places);
    for task in tasks {
        let canceled = standing.canceled.contains(&task.seq);
        if canceled {
            going.no_longer_canceled.push(task.seq);
        }
        let Some((started_at, failure)) = &task.started else {
            if canceled {
                going.end(task, CANCELED, task.attempt, None);
            } else if let Some(snooze) = task.snooze {
                going.snooze(task, snooze);
            } else {
                going.wait(task, task.attempt, task.last_attempt);
            }
            continue;
        };
        let attempt = task.attempt + 1;
        going.attempts.extend([
            task.seq.into(),
            attempt.into(),
            task.batch.into(),
            task.worker.into(),
            (*started_at).into(),
            going.now.into(),
            failure_text(failure)?.into(),
        ]);
        let (policy, before) = histories.of(task.seq)?;
        let losses = before + u32::from(failure.kind == FailureKind::WorkerLost);
        if canceled {
            going.end(task, CANCELED, attempt, Some(*started_at));
        } else if policy.runs_after_loss(losses) {
            // Not the task's fault: the attempt whose failure is final moves on by one.
            going.wait(task, attempt, task.last_attempt + 1);
        } else {
            going.end(task, FAILED, attempt, Some(*started_at));
        }
    }
    going.write(transaction).await
}

/// The rows that tasks leave where they go.
struct Going {
    now: i64,
    /// Lane, rank and due time by number.
    places: BTreeMap<i64, (i64, i64, i64)>,
    ready: Vec<Value>,
    snoozing: Vec<Retry>,
    results: Vec<Value>,
    attempts: Vec<Value>,
    no_longer_canceled: Vec<i64>,
    ended: Vec<i64>,
}

impl Going {
    fn new(now: i64, places: BTreeMap<i64, (i64, i64, i64)>) -> Self {
        Self {
            now,
            places,
            ready: Vec::new(),
            snoozing: Vec::new(),
            results: Vec::new(),
            attempts: Vec::new(),
            no_longer_canceled: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// One that was deleted meanwhile goes nowhere.
    fn wait(&mut self, task: &Returning, attempt: u32, last_attempt: u32) {
        if let Some((lane, rank, due)) = self.places.get(&task.seq) {
            self.ready.extend([
                Value::from(*due),
                task.seq.into(),
                (*lane).into(),
                (*rank).into(),
                attempt.into(),
                last_attempt.into(),
            ]);
        }
    }

    fn snooze(&mut self, task: &Returning, snooze: Duration) {
        let snooze = i64::try_from(snooze.as_micros()).unwrap_or(i64::MAX);
        self.snoozing.push(Retry {
            seq: task.seq,
            due: self.now.saturating_add(snooze).min(LATEST_US),
            attempt: task.attempt,
            last_attempt: task.last_attempt,
        });
    }

    fn end(&mut self, task: &Returning, status: i64, attempt: u32, started_at: Option<i64>) {
        self.ended.push(task.seq);
        if let Some((lane, ..)) = self.places.get(&task.seq) {
            self.results.extend([
                Value::from(task.seq),
                (*lane).into(),
                started_at.into(),
                self.now.into(),
                Value::Null,
                status.into(),
                attempt.into(),
                started_at.map(|_| task.worker).into(),
            ]);
        }
    }

    async fn write(self, transaction: &mut Transaction<'_>) -> Result<Vec<i64>> {
        transaction.insert(&insert_waiting("ready"), self.ready).await?;
        reschedule(transaction, &self.snoozing).await?;
        transaction.insert(&insert_result(), self.results).await?;
        transaction.insert(&insert_attempt(), self.attempts).await?;
        if !self.no_longer_canceled.is_empty() {
            transaction.run(
                "DELETE FROM @cancellation WHERE seq IN (?*)",
                [self.no_longer_canceled.into()],
            );
        }
        transaction.made_ready = true;
        Ok(self.ended)
    }
}
