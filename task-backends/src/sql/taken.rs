//! Claimed tasks as the store gave them, and as records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;
use task_core::{
    AttemptError, Claim, Claimed, FailureKind, Finish, Lease, NewTask, Outcome, Result, TaskFailure, TaskId,
};

use super::claim::Head;
use super::damage::{self, Unreadable};
use super::error::{corrupt, from_sqlx};
use super::json::json;
use super::record::{read_failure, read_policy, timestamp};

/// The attempts behind these tasks.
const EARLIER: &str = "SELECT a.seq, a.number, w.id AS worker, a.started_at, a.ended_at, a.failure FROM attempt a JOIN worker w ON w.key = a.worker \
     WHERE a.seq IN (SELECT value FROM json_each(?)) ORDER BY a.seq, a.number";

/// What was claimed, as the store gave it: reading it takes longer than getting it, and
/// is done when the store's lock is free again.
#[derive(Default)]
pub(crate) struct Taken {
    pub(super) next_due: Option<Duration>,
    pub(super) worker: i64,
    pub(super) batch: i64,
    pub(super) now: i64,
    pub(super) heads: Vec<Head>,
    /// A JSON list, as bytes: texts in it may be damaged.
    pub(super) tasks: Vec<u8>,
}

/// A claimed task as the claiming statement gives it.
#[derive(Deserialize)]
struct Read<'t> {
    lane: i64,
    rank: i64,
    /// Where it is not the time at which it was enqueued.
    due: Option<i64>,
    seq: i64,
    attempt: i64,
    last_attempt: i64,
    id: &'t str,
    enqueued_at: i64,
    #[serde(borrow)]
    arguments: Cow<'t, str>,
    #[serde(borrow)]
    policy: Option<Cow<'t, str>>,
    #[serde(borrow)]
    metadata: Option<Cow<'t, str>>,
}

impl Taken {
    /// The claimed tasks as records, and the ends of those that cannot be run because what is
    /// stored about them is damaged.
    pub(crate) async fn read(self, readers: &SqlitePool) -> Result<(Claim, Vec<Finish>)> {
        let mut claim = Claim {
            tasks: Vec::new(),
            damaged: 0,
            next_due: self.next_due,
        };
        if self.tasks.is_empty() {
            return Ok((claim, Vec::new()));
        }
        let text = damage::marked(&self.tasks);
        let heads: BTreeMap<i64, &Head> = self.heads.iter().map(|head| (head.lane, head)).collect();
        let (mut again, mut ends) = (Vec::new(), Vec::new());
        for (position, entry) in (0..).zip(damage::entries::<Read<'_>>(&text)?) {
            match entry.and_then(|task| self.claimed(&heads, position, task)) {
                Ok(task) => {
                    if task.record.attempts > 0 {
                        again.push(task.lease.keys()[0]);
                    }
                    claim.tasks.push(task);
                }
                Err(unreadable) => ends.push(self.end(position, &unreadable)?),
            }
        }
        claim.damaged = ends.len();
        if !again.is_empty() {
            add_earlier_attempts(readers, &again, &mut claim.tasks).await?;
        }
        Ok((claim, ends))
    }

    /// One task as a record, or what is known of it where that is not possible.
    fn claimed(
        &self,
        heads: &BTreeMap<i64, &Head>,
        position: u32,
        task: Read<'_>,
    ) -> Result<Claimed, Unreadable> {
        let (seq, lane, attempt) = (task.seq, task.lane, u32::try_from(task.attempt).unwrap_or(0));
        self.record(heads, position, task).map_err(|error| Unreadable {
            seq,
            lane,
            attempt,
            error,
        })
    }

    fn record(&self, heads: &BTreeMap<i64, &Head>, position: u32, task: Read<'_>) -> Result<Claimed> {
        let head = heads
            .get(&task.lane)
            .ok_or_else(|| corrupt(format!("lane {} is not there", task.lane)))?;
        damage::refuse_marked(&task.arguments, "the arguments")?;
        let id: TaskId = task.id.parse()?;
        let number = |what: &str, number: i64| {
            u32::try_from(number).map_err(|_| corrupt(format!("{what} of {number}")))
        };
        let mut record = NewTask {
            id,
            name: head.name.clone(),
            queue: head.queue.clone(),
            priority: i32::try_from(-task.rank).map_err(|_| corrupt(format!("a rank of {}", task.rank)))?,
            run_after: None,
            arguments: task.arguments.into(),
            policy: read_policy(task.policy.as_deref())?,
            metadata: task.metadata.map(Into::into),
        }
        .accepted(timestamp(task.enqueued_at)?);
        record.run_after = task.due.map(timestamp).transpose()?;
        record.attempts = number("attempts", task.attempt)?;
        Ok(Claimed {
            lease: Lease::new(id, self.batch, position, [task.seq, task.lane, self.worker]),
            record,
            last_attempt: number("a last attempt", task.last_attempt)?,
            claimed_at: timestamp(self.now)?,
        })
    }

    /// The end of a task that cannot be run.
    fn end(&self, position: u32, task: &Unreadable) -> Result<Finish> {
        let now = timestamp(self.now)?;
        let id = TaskId::from_bytes(&[0; 16]).ok_or_else(|| corrupt("no id has sixteen bytes"))?;
        let message = format!(
            "what is stored about the task is damaged: {}",
            task.error.message()
        );
        let attempt = task.attempt.saturating_add(1);
        Ok(Finish {
            // Its numbers say which task it is; the id may be what is damaged.
            lease: Lease::new(id, self.batch, position, [task.seq, task.lane, self.worker]),
            attempt,
            last_attempt: attempt,
            started_at: now,
            ended_at: now,
            outcome: Outcome::Failed(TaskFailure::new(FailureKind::Damaged, message)),
        })
    }
}

/// Tasks that ran before know when, and who ran them. That never changes any more, so it
/// is read apart from the claim.
async fn add_earlier_attempts(readers: &SqlitePool, seqs: &[i64], tasks: &mut [Claimed]) -> Result<()> {
    let rows = sqlx::query(EARLIER)
        .bind(json(seqs)?)
        .fetch_all(readers)
        .await
        .map_err(from_sqlx)?;
    let mut attempts: BTreeMap<i64, Vec<AttemptError>> = BTreeMap::new();
    for row in rows {
        let error = AttemptError {
            attempt: row.try_get("number").map_err(from_sqlx)?,
            worker_id: row.try_get("worker").map_err(from_sqlx)?,
            started_at: timestamp(row.try_get("started_at").map_err(from_sqlx)?)?,
            ended_at: timestamp(row.try_get("ended_at").map_err(from_sqlx)?)?,
            failure: read_failure(row.try_get("failure").map_err(from_sqlx)?),
        };
        attempts
            .entry(row.try_get("seq").map_err(from_sqlx)?)
            .or_default()
            .push(error);
    }
    for task in tasks {
        for error in attempts.remove(&task.lease.keys()[0]).unwrap_or_default() {
            let record = &mut task.record;
            record.started_at = record.started_at.or(Some(error.started_at));
            record.last_attempted_at = Some(error.started_at);
            record.worker_ids.push(error.worker_id.clone());
            record.errors.push(error);
        }
    }
    Ok(())
}
