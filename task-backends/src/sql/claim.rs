//! Taking tasks: the first of all lanes a worker may take from, in one order.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use task_core::{
    Claim, ClaimRequest, Claimed, Error, ErrorKind, Lease, Result, RetryPolicy, TaskId, TaskRecord,
    TaskStatus, Timestamp,
};

use super::error::{corrupt, from_sqlx};
use super::record::{read_policy, timestamp};
use super::script::Value;
use super::writer::{Transaction, Work};

/// How many scheduled tasks that have become due are moved over by one claim.
const PROMOTE: i64 = 5000;

/// Moves what has become due to where it can be claimed.
const PROMOTE_INSERT: &str = "INSERT INTO ready (lane, rank, due, seq, attempt, last_attempt) \
     SELECT lane, rank, due, seq, attempt, last_attempt FROM scheduled WHERE due <= ? ORDER BY due, seq LIMIT ?";
const PROMOTE_DELETE: &str = "DELETE FROM scheduled WHERE (due, seq) IN \
     (SELECT due, seq FROM scheduled WHERE due <= ? ORDER BY due, seq LIMIT ?)";

/// The first waiting task of every lane that has one, found by leaping from lane to
/// lane through the key of `ready`; besides, whether the worker lives and what is due next.
const HEADS: &str = "WITH RECURSIVE waiting(lane) AS ( \
         SELECT min(lane) FROM ready \
         UNION ALL \
         SELECT (SELECT min(lane) FROM ready WHERE lane > waiting.lane) FROM waiting WHERE waiting.lane IS NOT NULL), \
     head AS ( \
         SELECT r.lane, l.queue, l.name, r.rank, r.due, r.seq FROM waiting w \
         JOIN lane l ON l.id = w.lane \
         JOIN ready r ON r.lane = w.lane AND (r.rank, r.due, r.seq) = \
             (SELECT rank, due, seq FROM ready WHERE lane = w.lane ORDER BY rank, due, seq LIMIT 1)) \
     SELECT (SELECT ended_at IS NULL FROM worker WHERE key = ?) AS living, \
            (SELECT min(due) FROM scheduled) AS next_due, head.* \
     FROM (SELECT 1) LEFT JOIN head";

/// The first tasks of these lanes, at most so many of each.
const FIRST_OF_LANES: &str = "SELECT json_group_array(json_array(r.lane, r.rank, r.due, r.seq, r.attempt, r.last_attempt)) \
     FROM json_each(?) l CROSS JOIN ready r ON r.lane = l.value AND (r.rank, r.due, r.seq) <= ( \
         SELECT rank, due, seq FROM ( \
             SELECT rank, due, seq, 0 AS missing FROM \
                 (SELECT rank, due, seq FROM ready WHERE lane = l.value ORDER BY rank, due, seq LIMIT 1 OFFSET ?) \
             UNION ALL SELECT 9223372036854775807, 0, 0, 1) ORDER BY missing LIMIT 1)";
const FIRST_OF_ONE_LANE: &str = "SELECT json_group_array(json_array(lane, rank, due, seq, attempt, last_attempt)) FROM \
     (SELECT * FROM ready WHERE lane = ? ORDER BY rank, due, seq LIMIT ?)";

/// What was taken of a lane is always its beginning.
const DELETE_BEGINNING: &str = "DELETE FROM ready WHERE lane = ? AND (rank, due, seq) <= (?, ?, ?)";

const INSERT_CLAIM: &str =
    "INSERT INTO claim (worker, claimed_at, started, remaining, tasks) VALUES (?, ?, ?, ?, ?)";

/// One row that has everything: reading many small rows costs more than parsing one text.
const CLAIMED_TASKS: &str = "SELECT (SELECT max(id) FROM claim) AS claim, (SELECT json_group_array( \
         json_array(t.seq, hex(t.id), t.enqueued_at, t.arguments, t.policy)) \
     FROM json_each(?) s CROSS JOIN task t ON t.seq = s.value) AS tasks";

/// Who ran these tasks before, and when.
const EARLIER: &str = "SELECT a.seq, w.id AS worker, a.started_at FROM attempt a JOIN worker w ON w.key = a.worker \
     WHERE a.seq IN (SELECT value FROM json_each(?)) ORDER BY a.seq, a.number";

/// A waiting task as `ready` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Waiting {
    /// In this order tasks run: small ranks first, then by due time, then by arrival.
    rank: i64,
    due: i64,
    seq: i64,
    lane: i64,
    attempt: u32,
    last_attempt: u32,
}

/// The lane of a head, with its queue and task name.
struct Head {
    lane: i64,
    queue: String,
    name: String,
    order: (i64, i64, i64),
}

pub(crate) struct ClaimWork(pub(crate) ClaimRequest);

#[async_trait]
impl Work for ClaimWork {
    type Answer = Claim;

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<Claim> {
        claim(transaction, &self.0).await
    }
}

/// Takes tasks for a worker. See [`task_core::TaskQueue::claim`].
pub(crate) async fn claim(transaction: &mut Transaction<'_>, request: &ClaimRequest) -> Result<Claim> {
    let now = transaction.now();
    transaction.run(PROMOTE_INSERT, [now.into(), PROMOTE.into()]);
    transaction.run(PROMOTE_DELETE, [now.into(), PROMOTE.into()]);
    let rows = transaction.fetch(HEADS, [request.worker.0.into()]).await?;
    let first = rows
        .first()
        .ok_or_else(|| corrupt("a query without FROM returned no row"))?;
    let living: Option<bool> = first.try_get("living").map_err(from_sqlx)?;
    if living != Some(true) {
        return Err(Error::new(
            ErrorKind::State,
            "this worker left or was given up; it must join again to claim",
        ));
    }
    let next_due: Option<i64> = first.try_get("next_due").map_err(from_sqlx)?;
    let next_due =
        next_due.map(|due| std::time::Duration::from_micros(u64::try_from(due - now).unwrap_or(0)));
    let heads = select_heads(&rows, request)?;
    if heads.is_empty() || request.limit == 0 {
        return Ok(Claim {
            tasks: Vec::new(),
            next_due,
        });
    }
    let chosen = choose(transaction, &heads, request.limit).await?;
    let tasks = take(transaction, request, &heads, &chosen).await?;
    Ok(Claim { tasks, next_due })
}

/// The heads of lanes this worker takes from, the one to run first in front.
fn select_heads(rows: &[SqliteRow], request: &ClaimRequest) -> Result<Vec<Head>> {
    let mut heads = Vec::new();
    for row in rows {
        let lane: Option<i64> = row.try_get("lane").map_err(from_sqlx)?;
        let Some(lane) = lane else { continue };
        let (queue, name): (String, String) = (
            row.try_get("queue").map_err(from_sqlx)?,
            row.try_get("name").map_err(from_sqlx)?,
        );
        if request.queues.includes(&queue) && request.names.contains(&name) {
            let order = (
                row.try_get("rank").map_err(from_sqlx)?,
                row.try_get("due").map_err(from_sqlx)?,
                row.try_get("seq").map_err(from_sqlx)?,
            );
            heads.push(Head {
                lane,
                queue,
                name,
                order,
            });
        }
    }
    heads.sort_by_key(|head| head.order);
    Ok(heads)
}

/// The first tasks of all these lanes together, in order: at most `limit`.
async fn choose(transaction: &mut Transaction<'_>, heads: &[Head], limit: usize) -> Result<Vec<Waiting>> {
    // Of several lanes each gives more than its share; only what is certainly before
    // everything that was not read is taken.
    let each = if heads.len() == 1 {
        limit
    } else {
        (2 * limit / heads.len() + 16).min(limit)
    };
    let rows = if let [head] = heads {
        transaction
            .fetch(FIRST_OF_ONE_LANE, [head.lane.into(), count(each).into()])
            .await?
    } else {
        let lanes: Vec<i64> = heads.iter().map(|head| head.lane).collect();
        transaction
            .fetch(FIRST_OF_LANES, [json(&lanes)?.into(), count(each - 1).into()])
            .await?
    };
    let text: &str = rows
        .first()
        .ok_or_else(|| corrupt("an aggregate returned no row"))?
        .try_get(0)
        .map_err(from_sqlx)?;
    let read: Vec<(i64, i64, i64, i64, u32, u32)> = parse(text)?;
    let mut waiting: Vec<Waiting> = read
        .into_iter()
        .map(|(lane, rank, due, seq, attempt, last_attempt)| Waiting {
            rank,
            due,
            seq,
            lane,
            attempt,
            last_attempt,
        })
        .collect();
    waiting.sort_unstable();
    cut_at_the_unread(&mut waiting, each, heads.len());
    waiting.truncate(limit);
    Ok(waiting)
}

/// Removes what may come after a task that was not read: of a lane that gave all it was
/// asked for, nothing behind its last one is known.
fn cut_at_the_unread(waiting: &mut Vec<Waiting>, each: usize, lanes: usize) {
    if lanes == 1 {
        return;
    }
    let mut of_lane: BTreeMap<i64, (usize, Waiting)> = BTreeMap::new();
    for task in waiting.iter() {
        let entry = of_lane.entry(task.lane).or_insert((0, *task));
        *entry = (entry.0 + 1, *task);
    }
    let last_known = of_lane
        .values()
        .filter(|(read, _)| *read >= each)
        .map(|(_, last)| *last)
        .min();
    if let Some(last_known) = last_known {
        waiting.retain(|task| *task <= last_known);
    }
}

/// Deletes the chosen tasks from `ready`, writes the claim down and reads the tasks.
async fn take(
    transaction: &mut Transaction<'_>,
    request: &ClaimRequest,
    heads: &[Head],
    chosen: &[Waiting],
) -> Result<Vec<Claimed>> {
    let now = transaction.now();
    let mut last_of_lane: BTreeMap<i64, &Waiting> = BTreeMap::new();
    let mut listed = Vec::with_capacity(3 * chosen.len());
    for task in chosen {
        last_of_lane.insert(task.lane, task);
        listed.extend([task.seq, i64::from(task.attempt), i64::from(task.last_attempt)]);
    }
    for (lane, last) in last_of_lane {
        transaction.run(
            DELETE_BEGINNING,
            [lane.into(), last.rank.into(), last.due.into(), last.seq.into()],
        );
    }
    let started = request.starting.min(chosen.len());
    let claim: [Value; 5] = [
        request.worker.0.into(),
        now.into(),
        count(started).into(),
        count(chosen.len()).into(),
        json(&listed)?.into(),
    ];
    transaction.run(INSERT_CLAIM, claim);
    let seqs: Vec<i64> = chosen.iter().map(|task| task.seq).collect();
    let rows = transaction.fetch(CLAIMED_TASKS, [json(&seqs)?.into()]).await?;
    let row = rows
        .first()
        .ok_or_else(|| corrupt("a query without FROM returned no row"))?;
    let batch: i64 = row.try_get("claim").map_err(from_sqlx)?;
    let mut claimed = read_claimed(
        row.try_get("tasks").map_err(from_sqlx)?,
        batch,
        now,
        heads,
        chosen,
    )?;
    add_earlier_attempts(transaction, &mut claimed).await?;
    Ok(claimed)
}

fn read_claimed(
    text: &str,
    batch: i64,
    now: i64,
    heads: &[Head],
    chosen: &[Waiting],
) -> Result<Vec<Claimed>> {
    let read: Vec<(i64, &str, i64, String, Option<String>)> = parse(text)?;
    if read.len() != chosen.len() {
        return Err(corrupt(format!(
            "{} tasks wait, but {} of them are there",
            chosen.len(),
            read.len()
        )));
    }
    let heads: BTreeMap<i64, &Head> = heads.iter().map(|head| (head.lane, head)).collect();
    let claimed_at = timestamp(now)?;
    let mut claimed = Vec::with_capacity(read.len());
    for (position, (task, (seq, id, enqueued_at, arguments, policy))) in chosen.iter().zip(read).enumerate() {
        let head = heads
            .get(&task.lane)
            .ok_or_else(|| corrupt(format!("lane {} is not there", task.lane)))?;
        if seq != task.seq {
            return Err(corrupt(format!(
                "task {} was read where {} was asked for",
                seq, task.seq
            )));
        }
        let id: TaskId = id.parse()?;
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        claimed.push(Claimed {
            lease: Lease::new(id, batch, position, [seq, task.lane]),
            record: waiting_record(
                id,
                head,
                task,
                timestamp(enqueued_at)?,
                arguments,
                read_policy(policy.as_deref())?,
            )?,
            last_attempt: task.last_attempt,
            claimed_at,
        });
    }
    Ok(claimed)
}

fn waiting_record(
    id: TaskId,
    head: &Head,
    task: &Waiting,
    enqueued_at: Timestamp,
    arguments: String,
    policy: RetryPolicy,
) -> Result<TaskRecord> {
    let due = timestamp(task.due)?;
    Ok(TaskRecord {
        id,
        name: head.name.clone(),
        queue: head.queue.clone(),
        priority: i32::try_from(-task.rank).map_err(|_| corrupt(format!("a rank of {}", task.rank)))?,
        run_after: (due > enqueued_at).then_some(due),
        arguments,
        policy,
        status: TaskStatus::Ready,
        enqueued_at,
        started_at: None,
        last_attempted_at: None,
        finished_at: None,
        attempts: task.attempt,
        worker_ids: Vec::new(),
        errors: Vec::new(),
        return_value: None,
    })
}

/// A task that ran before knows when it began and who ran it.
async fn add_earlier_attempts(transaction: &mut Transaction<'_>, claimed: &mut [Claimed]) -> Result<()> {
    let again: Vec<i64> = claimed
        .iter()
        .filter(|task| task.record.attempts > 0)
        .map(|task| task.lease.keys()[0])
        .collect();
    if again.is_empty() {
        return Ok(());
    }
    let rows = transaction.fetch(EARLIER, [json(&again)?.into()]).await?;
    let mut attempts: BTreeMap<i64, Vec<(String, i64)>> = BTreeMap::new();
    for row in rows {
        let attempt = (
            row.try_get("worker").map_err(from_sqlx)?,
            row.try_get("started_at").map_err(from_sqlx)?,
        );
        attempts
            .entry(row.try_get("seq").map_err(from_sqlx)?)
            .or_default()
            .push(attempt);
    }
    for task in claimed {
        for (worker, started_at) in attempts.remove(&task.lease.keys()[0]).unwrap_or_default() {
            let started_at = timestamp(started_at)?;
            task.record.started_at = task.record.started_at.or(Some(started_at));
            task.record.last_attempted_at = Some(started_at);
            task.record.worker_ids.push(worker);
        }
    }
    Ok(())
}

pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A list of numbers for `json_each`.
pub(crate) fn json(numbers: &[i64]) -> Result<String> {
    serde_json::to_string(numbers).map_err(|error| corrupt(format!("a list of numbers: {error}")))
}

/// JSON that the store itself made.
pub(crate) fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| corrupt("a list the store made cannot be read").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(lane: i64, due: i64) -> Waiting {
        Waiting {
            rank: 0,
            due,
            seq: due,
            lane,
            attempt: 0,
            last_attempt: 1,
        }
    }

    #[test]
    fn nothing_is_taken_that_an_unread_task_may_precede() {
        // Lane 1 gave the two it was asked for and may have more from 4 on; lane 2 is exhausted.
        let mut tasks = vec![waiting(1, 1), waiting(1, 4), waiting(2, 3), waiting(2, 9)];
        tasks.sort_unstable();
        cut_at_the_unread(&mut tasks, 3, 2);
        assert_eq!(tasks.len(), 4, "no lane was read to its limit");
        cut_at_the_unread(&mut tasks, 2, 2);
        assert_eq!(tasks.iter().map(|task| task.due).collect::<Vec<_>>(), [1, 3, 4]);
    }
}
