//! Tasks of which the store keeps one at a time: who holds a key.
//!
//! A key is taken when its task is stored, in the same transaction, and never given back: whoever asks for it
//! next looks whether its holder still keeps others out.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use task_core::{LATEST_US, NewTask, Result, RunAfter, TaskId, Timestamp, Unique, UniqueUntil};

use super::enqueue::NewRows;
use super::error::corrupt;
use super::record::timestamp;
use super::script::{Conflict, Insert, Kind};
use super::transaction::{Transaction, Work};
use super::value::{Row, Value};

/// A key, or an id, as the two numbers that stand for its sixteen bytes.
type Halves = (i64, i64);

const UNTIL_STARTED: i64 = 0;
const UNTIL_ENDED: i64 = 1;
const UNTIL_TIME: i64 = 2;

const HOLDERS: &str = "SELECT key_high, key_low, id_high, id_low, mode, expires_at FROM @unique_key WHERE key_high IN (?*) ORDER BY key_high, key_low";

/// Where a task is in its life: it waits, it has ended, or neither.
const LIFE: &str = "SELECT t.id, CASE WHEN r.seq IS NULL THEN 0 ELSE 1 END AS ended, \
         CASE WHEN EXISTS (SELECT 1 FROM @ready q WHERE q.lane = t.lane AND q.\"rank\" = t.\"rank\" \
                 AND q.due = coalesce(m.due, t.due) AND q.seq = t.seq) \
             OR EXISTS (SELECT 1 FROM @scheduled s WHERE s.due = coalesce(m.due, t.due) AND s.seq = t.seq) \
             THEN 1 ELSE 0 END AS waiting \
     FROM @task t LEFT JOIN @result r ON r.seq = t.seq LEFT JOIN @rescheduled m ON m.seq = t.seq WHERE t.id = ?";

const TAKE_OVER: &str = "UPDATE @unique_key SET id_high = ?, id_low = ?, mode = ?, enqueued_at = ?, expires_at = ? \
     WHERE key_high = ? AND key_low = ?";

/// Keys of tasks that are pruned: so much older than the oldest task that is left that no clock between
/// the two statements which wrote them explains it.
pub(crate) const FORGET: &str = "DELETE FROM @unique_key \
     WHERE enqueued_at < coalesce((SELECT enqueued_at FROM @task ORDER BY seq LIMIT 1), ?) - 600000000";

fn insert_keys() -> Insert {
    Insert {
        table: "unique_key",
        columns: &[
            ("key_high", Kind::Int),
            ("key_low", Kind::Int),
            ("id_high", Kind::Int),
            ("id_low", Kind::Int),
            ("mode", Kind::Int),
            ("enqueued_at", Kind::Int),
            ("expires_at", Kind::Int),
        ],
        constants: Vec::new(),
        conflict: Conflict::Stays("key_high"),
    }
}

fn halves(bytes: [u8; 16]) -> Halves {
    let whole = u128::from_be_bytes(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "the halves of sixteen bytes")]
    let (high, low) = ((whole >> 64) as u64, whole as u64);
    (high.cast_signed(), low.cast_signed())
}

fn bytes_of((high, low): Halves) -> [u8; 16] {
    let whole = (u128::from(high.cast_unsigned()) << 64) | u128::from(low.cast_unsigned());
    whole.to_be_bytes()
}

/// What became of a task that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It was accepted at this time.
    New(Timestamp),
    /// This one holds its key, at this time.
    HeldBy(TaskId, Timestamp),
}

/// Stores tasks, some of which are unique.
pub(crate) struct UniqueWork {
    tasks: Vec<NewTask>,
    /// Which of them were stored when this was run before: of that commit nobody may have heard.
    stored_before: Option<Vec<Stored>>,
}

impl UniqueWork {
    pub(crate) fn new(tasks: Vec<NewTask>) -> Self {
        Self {
            tasks,
            stored_before: None,
        }
    }

    /// What an earlier run stored, if its commit took place.
    async fn before(&self, transaction: &mut Transaction<'_>) -> Result<Option<Vec<Stored>>> {
        let Some(stored) = &self.stored_before else {
            return Ok(None);
        };
        let rows = NewRows::new(new_ones(&self.tasks, stored))?;
        let accepted = rows.accepted_before(transaction).await?;
        Ok(accepted.map(|_| stored.clone()))
    }
}

#[async_trait]
impl Work for UniqueWork {
    type Answer = Vec<Stored>;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Vec<Stored>> {
        if let Some(stored) = self.before(transaction).await? {
            return Ok(stored);
        }
        let stored = store(transaction, &self.tasks).await?;
        self.stored_before = Some(stored.clone());
        Ok(stored)
    }
}

fn new_ones<'t>(tasks: &'t [NewTask], stored: &'t [Stored]) -> impl Iterator<Item = &'t NewTask> {
    let pairs = tasks.iter().zip(stored);
    pairs
        .filter(|(_, stored)| matches!(stored, Stored::New(_)))
        .map(|(task, _)| task)
}

/// Stores those tasks whose keys nobody holds, in the caller's transaction.
pub(crate) async fn store(transaction: &mut Transaction<'_>, tasks: &[NewTask]) -> Result<Vec<Stored>> {
    let now = transaction.now().await?;
    let mut firsts: BTreeMap<Halves, &NewTask> = BTreeMap::new();
    for task in tasks {
        if let Some(unique) = task.unique {
            firsts.entry(halves(unique.key)).or_insert(task);
        }
    }
    let held_by = take(transaction, &firsts, now).await?;
    let at = timestamp(now)?;
    let stored: Vec<Stored> = tasks
        .iter()
        .map(|task| {
            let holder = task
                .unique
                .and_then(|unique| held_by.get(&halves(unique.key)))
                .copied();
            match holder {
                Some(holder) if holder != task.id => Stored::HeldBy(holder, at),
                _ => Stored::New(at),
            }
        })
        .collect();
    let accepted_at = NewRows::new(new_ones(tasks, &stored))?.store(transaction).await?;
    Ok(stored
        .into_iter()
        .map(|stored| match stored {
            Stored::New(_) => Stored::New(accepted_at),
            held @ Stored::HeldBy(..) => held,
        })
        .collect())
}

/// Takes these keys for these tasks where nobody keeps them out, and says who holds each.
async fn take(
    transaction: &mut Transaction<'_>,
    firsts: &BTreeMap<Halves, &NewTask>,
    now: i64,
) -> Result<HashMap<Halves, TaskId>> {
    let mut held_by = HashMap::new();
    if firsts.is_empty() {
        return Ok(held_by);
    }
    // In the order of the keys, so that two transactions do not wait for each other in a circle. A key that
    // another one is just taking makes this one wait until that has ended.
    let rows = firsts.iter().flat_map(|(key, task)| {
        [Value::from(key.0), key.1.into()]
            .into_iter()
            .chain(holder(task, now))
    });
    let rows: Vec<Value> = rows.collect();
    transaction.insert(&insert_keys(), rows).await?;
    let lock = transaction.engine().locking();
    let high: Vec<i64> = firsts.keys().map(|key| key.0).collect();
    let query = format!("{HOLDERS}{lock}");
    let mut others = Vec::new();
    for row in transaction.fetch(&query, [high.into()]).await? {
        let key = (row.int("key_high")?, row.int("key_low")?);
        let id = TaskId::from_bytes(&bytes_of((row.int("id_high")?, row.int("id_low")?)))
            .ok_or_else(|| corrupt("the holder of a key has no id"))?;
        match firsts.get(&key) {
            Some(task) if task.id != id => others.push((key, id, row)),
            Some(_) => drop(held_by.insert(key, id)),
            // Only one half of it is a key of ours.
            None => {}
        }
    }
    let lives = lives(transaction, &others).await?;
    for (key, id, row) in others {
        if keeps_out(&row, lives.get(&id).copied(), now)? {
            held_by.insert(key, id);
        } else if let Some(task) = firsts.get(&key) {
            let values = holder(task, now).into_iter().chain([key.0.into(), key.1.into()]);
            transaction.run(TAKE_OVER, values);
            held_by.insert(key, task.id);
        }
    }
    Ok(held_by)
}

/// What is stored of a task that holds a key.
fn holder(task: &NewTask, now: i64) -> [Value; 5] {
    let (high, low) = halves(*task.id.as_bytes());
    let until = task
        .unique
        .map_or(UniqueUntil::Ended, |Unique { until, .. }| until);
    let (mode, expires_at) = match until {
        UniqueUntil::Started => (UNTIL_STARTED, None),
        UniqueUntil::For(time) => {
            let at = Timestamp::from_microsecond(now).unwrap_or(Timestamp::MAX);
            (
                UNTIL_TIME,
                Some(RunAfter::In(time).due(at).as_microsecond().min(LATEST_US)),
            )
        }
        _ => (UNTIL_ENDED, None),
    };
    [
        high.into(),
        low.into(),
        mode.into(),
        now.into(),
        expires_at.into(),
    ]
}

/// Where a task is in its life.
#[derive(Debug, Clone, Copy)]
struct Life {
    waits: bool,
    has_ended: bool,
}

/// Where these holders are; those that were pruned are left out.
async fn lives(
    transaction: &mut Transaction<'_>,
    holders: &[(Halves, TaskId, Row)],
) -> Result<HashMap<TaskId, Life>> {
    let mut lives = HashMap::new();
    let Some(((_, last, _), rest)) = holders.split_last() else {
        return Ok(lives);
    };
    for (_, id, _) in rest {
        transaction.run(LIFE, [(*id).into()]);
    }
    for row in transaction.fetch(LIFE, [(*last).into()]).await? {
        let life = Life {
            waits: row.flag("waiting")?,
            has_ended: row.flag("ended")?,
        };
        lives.insert(row.id("id")?, life);
    }
    Ok(lives)
}

fn keeps_out(holder: &Row, life: Option<Life>, now: i64) -> Result<bool> {
    // One that was pruned keeps nobody out.
    let Some(life) = life else { return Ok(false) };
    Ok(match holder.int("mode")? {
        UNTIL_STARTED => life.waits && !life.has_ended,
        UNTIL_TIME => holder.maybe_int("expires_at")?.is_some_and(|until| until > now),
        _ => !life.has_ended,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_sixteen_bytes_and_back() {
        for bytes in [
            [0; 16],
            [255; 16],
            *b"0123456789abcdef",
            *TaskId::new().as_bytes(),
        ] {
            assert_eq!(bytes_of(halves(bytes)), bytes);
        }
    }
}
