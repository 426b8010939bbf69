//! Tasks that go back: given back by their worker, or taken from one that was lost.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::Row as _;
use task_core::{GivenBack, Rescued, Result, RetryPolicy, TaskFailure};

use super::error::{corrupt, from_sqlx};
use super::finish::{CANCELED, FAILED, Standing, failure_text, insert_attempt, lost, standing};
use super::json::{count, json, parse};
use super::listed::{self, Listed};
use super::record::policy_or_default;
use super::script::{Rows, Value};
use super::writer::{Transaction, Work};

/// Puts a task back where it waited: it keeps its due time and so its place.
const RETURN: &str = "INSERT INTO ready (lane, rank, due, seq, attempt, last_attempt) \
     SELECT t.lane, t.rank, coalesce(m.due, t.due), t.seq, ?, ? FROM task t \
     LEFT JOIN rescheduled m ON m.seq = t.seq WHERE t.seq = ?";

/// Ends a task that may not run again.
const END: &str = "INSERT INTO result (seq, status, lane, worker, attempt, started_at, finished_at, value) \
     SELECT seq, ?, lane, ?, ?, ?, ?, NULL FROM task WHERE seq = ?";

/// Policies and earlier losses of these tasks.
const HISTORY: &str = "SELECT t.seq, t.policy, (SELECT count(*) FROM attempt a WHERE a.seq = t.seq \
         AND json_valid(a.failure) AND a.failure ->> 'kind' = 'worker_lost') AS losses \
     FROM json_each(?) s CROSS JOIN task t ON t.seq = s.value";

/// A task that was claimed and goes back.
struct Returning {
    seq: i64,
    batch: i64,
    worker: i64,
    /// Attempts so far, the interrupted one not counted.
    attempt: u32,
    last_attempt: u32,
    /// When it was started and why it did not end; `None` when it was not started.
    started: Option<(i64, TaskFailure)>,
}

/// What became of a task that went back.
enum Became {
    Ready,
    Ended,
}

/// The numbers of those that ended.
fn ended(tasks: &[Returning], became: &[Became]) -> Vec<i64> {
    let both = tasks.iter().zip(became);
    both.filter(|(_, became)| matches!(became, Became::Ended))
        .map(|(task, _)| task.seq)
        .collect()
}

pub(crate) struct GiveBackWork(pub(crate) Vec<GivenBack>);

#[async_trait]
impl Work for GiveBackWork {
    /// The numbers of the tasks that ended.
    type Answer = Vec<i64>;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Vec<i64>> {
        let batches: BTreeSet<i64> = self.0.iter().map(|task| task.lease.batch()).collect();
        let standing = standing(transaction, &batches).await?;
        let mut returning = Vec::new();
        let mut gone: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for task in &self.0 {
            let (batch, [seq, ..]) = (task.lease.batch(), task.lease.keys());
            let Some(worker) = standing.workers.get(&batch) else {
                continue;
            };
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
            });
        }
        let became = put_back(transaction, &returning, &standing).await?;
        for (batch, seqs) in gone {
            strike_off(transaction, batch, &seqs).await?;
        }
        Ok(ended(&returning, &became))
    }
}

/// Takes tasks off a claim's list, so that a rescuer does not return them again.
async fn strike_off(transaction: &mut Transaction<'_>, batch: i64, seqs: &BTreeSet<i64>) -> Result<()> {
    let rows = transaction
        .fetch("SELECT tasks FROM claim WHERE id = ?", [batch.into()])
        .await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let mut list = listed::read(row.try_get(0).map_err(from_sqlx)?)?;
    // The list keeps its length, because positions in it say what was started.
    for task in list.iter_mut().filter(|task| seqs.contains(&task.seq)) {
        task.seq = 0;
    }
    transaction.run(
        "UPDATE claim SET tasks = ?, remaining = remaining - ? WHERE id = ?",
        [
            listed::write(&list).into(),
            count(seqs.len()).into(),
            batch.into(),
        ],
    );
    transaction.run(
        "DELETE FROM claim WHERE remaining <= 0 AND id = ?",
        [batch.into()],
    );
    Ok(())
}

pub(crate) struct RescueWork {
    /// At most this many tasks.
    pub(crate) limit: usize,
    /// Only leases that had run out by then: nobody could renew while this waited.
    pub(crate) asked_at: i64,
}

#[async_trait]
impl Work for RescueWork {
    /// Besides, the numbers of the tasks that ended.
    type Answer = (Rescued, Vec<i64>);

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Answer> {
        let (mut rescued, mut all_ended) = (Rescued::default(), Vec::new());
        // From here on the lost worker can neither claim nor renew.
        let now = transaction.now();
        let ended = transaction
            .fetch(
                "UPDATE worker SET ended_at = ? WHERE ended_at IS NULL AND lease_until < ? RETURNING key",
                [now.into(), self.asked_at.into()],
            )
            .await?;
        rescued.workers = ended.len();
        let mut left = self.limit;
        while left > 0 {
            let rows = transaction
                .fetch(
                    "SELECT c.id, c.worker, c.claimed_at, c.started, c.tasks, w.id AS name FROM claim c \
                     JOIN worker w ON w.key = c.worker WHERE w.ended_at IS NOT NULL ORDER BY c.id LIMIT 1",
                    [],
                )
                .await?;
            let Some(row) = rows.first() else { break };
            let claim = LostClaim::read(row)?;
            let (tasks, ended) = claim.take(transaction, left).await?;
            left = left.saturating_sub(tasks);
            rescued.returned += tasks - ended.len();
            rescued.failed += ended.len();
            all_ended.extend(ended);
        }
        Ok((rescued, all_ended))
    }
}

/// A claim whose worker is gone.
struct LostClaim {
    id: i64,
    worker: i64,
    worker_name: String,
    claimed_at: i64,
    started: u32,
    tasks: Vec<Listed>,
}

impl LostClaim {
    fn read(row: &sqlx::sqlite::SqliteRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id").map_err(from_sqlx)?,
            worker: row.try_get("worker").map_err(from_sqlx)?,
            worker_name: row.try_get("name").map_err(from_sqlx)?,
            claimed_at: row.try_get("claimed_at").map_err(from_sqlx)?,
            started: row.try_get("started").map_err(from_sqlx)?,
            tasks: listed::read(row.try_get("tasks").map_err(from_sqlx)?)?,
        })
    }

    /// Puts what has not ended back and deletes the claim: from here on whatever its
    /// worker still has to say about it is refused. Returns how many tasks it took, and which of
    /// them ended.
    async fn take(self, transaction: &mut Transaction<'_>, limit: usize) -> Result<(usize, Vec<i64>)> {
        let left_already = self.ended(transaction).await?;
        let losses = Histories::read(transaction, self.tasks.iter().map(|task| task.seq)).await?;
        let mut returning = Vec::new();
        let mut rest = self.tasks.clone();
        for ((position, task), rest) in (0_u32..).zip(&self.tasks).zip(&mut rest) {
            let seq = task.seq;
            if seq == 0 || left_already.contains(&seq) {
                rest.seq = 0;
                continue;
            }
            if returning.len() == limit {
                continue;
            }
            rest.seq = 0;
            let started = if position < self.started {
                let (policy, before) = losses.of(seq)?;
                let failure = lost(&self.worker_name, before + 1, policy.max_lost);
                Some((self.claimed_at, failure))
            } else {
                None
            };
            returning.push(Returning {
                seq,
                batch: self.id,
                worker: self.worker,
                attempt: task.attempt,
                last_attempt: task.last_attempt,
                started,
            });
        }
        let standing = standing(transaction, &BTreeSet::from([self.id])).await?;
        let became = put_back(transaction, &returning, &standing).await?;
        transaction.run("DELETE FROM claim WHERE id = ?", [self.id.into()]);
        let left = rest.iter().filter(|task| task.seq > 0).count();
        if left > 0 {
            // Under another number, so that no lease of the old one is valid any more.
            transaction.run(
                "INSERT INTO claim (worker, claimed_at, started, remaining, tasks) VALUES (?, ?, ?, ?, ?)",
                [
                    self.worker.into(),
                    self.claimed_at.into(),
                    self.started.into(),
                    count(left).into(),
                    listed::write(&rest).into(),
                ],
            );
        }
        Ok((returning.len(), ended(&returning, &became)))
    }

    /// The tasks of this claim that ended or went on to a retry.
    async fn ended(&self, transaction: &mut Transaction<'_>) -> Result<BTreeSet<i64>> {
        let seqs: Vec<i64> = self.tasks.iter().map(|task| task.seq).collect();
        let seqs = json(&seqs)?;
        let query = "SELECT json_group_array(s.value) FROM json_each(?) s \
             WHERE NOT EXISTS (SELECT 1 FROM task t WHERE t.seq = s.value) \
                OR EXISTS (SELECT 1 FROM result r WHERE r.seq = s.value) \
                OR EXISTS (SELECT 1 FROM attempt a WHERE a.seq = s.value AND a.claim = ?)";
        let rows = transaction.fetch(query, [seqs.into(), self.id.into()]).await?;
        let row = rows
            .first()
            .ok_or_else(|| corrupt("an aggregate returned no row"))?;
        Ok(parse::<Vec<i64>>(row.try_get(0).map_err(from_sqlx)?)?
            .into_iter()
            .collect())
    }
}

/// What is stored about tasks that may have lost workers before.
struct Histories(BTreeMap<i64, (RetryPolicy, u32)>);

impl Histories {
    async fn read(transaction: &mut Transaction<'_>, seqs: impl Iterator<Item = i64>) -> Result<Self> {
        let seqs: Vec<i64> = seqs.collect();
        let mut histories = BTreeMap::new();
        for row in transaction.fetch(HISTORY, [json(&seqs)?.into()]).await? {
            let policy: Option<&str> = row.try_get("policy").map_err(from_sqlx)?;
            let losses: u32 = row.try_get("losses").map_err(from_sqlx)?;
            histories.insert(
                row.try_get("seq").map_err(from_sqlx)?,
                (policy_or_default(policy), losses),
            );
        }
        Ok(Self(histories))
    }

    fn of(&self, seq: i64) -> Result<(RetryPolicy, u32)> {
        self.0
            .get(&seq)
            .copied()
            .ok_or_else(|| corrupt(format!("task {seq} is claimed but not there")))
    }
}

/// Puts tasks back where they waited; those that may not run again end.
async fn put_back(
    transaction: &mut Transaction<'_>,
    tasks: &[Returning],
    standing: &Standing,
) -> Result<Vec<Became>> {
    let started = tasks
        .iter()
        .filter(|task| task.started.is_some())
        .map(|task| task.seq);
    let histories = Histories::read(transaction, started).await?;
    let now = transaction.now();
    let mut attempts: Vec<Value> = Vec::new();
    let mut became = Vec::with_capacity(tasks.len());
    for task in tasks {
        let canceled = standing.canceled.contains(&task.seq);
        if canceled {
            transaction.run("DELETE FROM cancellation WHERE seq = ?", [task.seq.into()]);
        }
        let Some((started_at, failure)) = &task.started else {
            if canceled {
                end(transaction, task, CANCELED, task.attempt, None);
                became.push(Became::Ended);
            } else {
                transaction.run(
                    RETURN,
                    [task.attempt.into(), task.last_attempt.into(), task.seq.into()],
                );
                became.push(Became::Ready);
            }
            continue;
        };
        let attempt = task.attempt + 1;
        attempts.extend([
            task.seq.into(),
            attempt.into(),
            task.batch.into(),
            task.worker.into(),
            (*started_at).into(),
            now.into(),
            failure_text(failure)?.into(),
        ]);
        let (policy, before) = histories.of(task.seq)?;
        let losses = before + u32::from(failure.kind == task_core::FailureKind::WorkerLost);
        if canceled {
            end(transaction, task, CANCELED, attempt, Some(*started_at));
            became.push(Became::Ended);
        } else if policy.runs_after_loss(losses) {
            // Not the task's fault: the attempt whose failure is final moves on by one.
            transaction.run(
                RETURN,
                [attempt.into(), (task.last_attempt + 1).into(), task.seq.into()],
            );
            became.push(Became::Ready);
        } else {
            end(transaction, task, FAILED, attempt, Some(*started_at));
            became.push(Became::Ended);
        }
    }
    transaction.insert(Rows::new(insert_attempt(), attempts)).await?;
    transaction.made_ready = true;
    Ok(became)
}

fn end(
    transaction: &mut Transaction<'_>,
    task: &Returning,
    status: i64,
    attempt: u32,
    started_at: Option<i64>,
) {
    let now = transaction.now();
    let worker = started_at.map(|_| task.worker);
    transaction.run(
        END,
        [
            status.into(),
            worker.into(),
            attempt.into(),
            started_at.into(),
            now.into(),
            task.seq.into(),
        ],
    );
}
