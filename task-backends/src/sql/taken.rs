//! Claimed tasks as the store gave them, and as records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;
use task_core::{AttemptError, Claim, Claimed, Lease, NewTask, Result, TaskId};

use super::claim::Head;
use super::error::{corrupt, from_sqlx};
use super::json::{json, parse};
use super::record::{read_policy, timestamp};

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
    pub(super) tasks: String,
}

/// A claimed task as the claiming statement gives it.
#[derive(Deserialize)]
struct Read<'t> {
    lane: i64,
    rank: i64,
    /// Where it is not the time at which it was enqueued.
    due: Option<i64>,
    seq: i64,
    attempt: u32,
    last_attempt: u32,
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
    /// The claimed tasks as records.
    pub(crate) async fn read(self, readers: &SqlitePool) -> Result<Claim> {
        if self.tasks.is_empty() {
            return Ok(Claim {
                tasks: Vec::new(),
                next_due: self.next_due,
            });
        }
        let read: Vec<Read<'_>> = parse(&self.tasks)?;
        let heads: BTreeMap<i64, &Head> = self.heads.iter().map(|head| (head.lane, head)).collect();
        let claimed_at = timestamp(self.now)?;
        let mut tasks = Vec::with_capacity(read.len());
        let mut again = Vec::new();
        for (position, task) in (0..).zip(read) {
            let head = heads
                .get(&task.lane)
                .ok_or_else(|| corrupt(format!("lane {} is not there", task.lane)))?;
            let id: TaskId = task.id.parse()?;
            let mut record = NewTask {
                id,
                name: head.name.clone(),
                queue: head.queue.clone(),
                priority: i32::try_from(-task.rank)
                    .map_err(|_| corrupt(format!("a rank of {}", task.rank)))?,
                run_after: None,
                arguments: task.arguments.into(),
                policy: read_policy(task.policy.as_deref())?,
                metadata: task.metadata.map(Into::into),
            }
            .accepted(timestamp(task.enqueued_at)?);
            record.run_after = task.due.map(timestamp).transpose()?;
            record.attempts = task.attempt;
            if task.attempt > 0 {
                again.push(task.seq);
            }
            let lease = Lease::new(id, self.batch, position, [task.seq, task.lane, self.worker]);
            tasks.push(Claimed {
                lease,
                record,
                last_attempt: task.last_attempt,
                claimed_at,
            });
        }
        if !again.is_empty() {
            add_earlier_attempts(readers, &again, &mut tasks).await?;
        }
        Ok(Claim {
            tasks,
            next_due: self.next_due,
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
            failure: parse(row.try_get("failure").map_err(from_sqlx)?)?,
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
