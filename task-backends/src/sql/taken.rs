//! Claimed tasks as the store gave them, and as records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use task_core::{
    AttemptError, Claim, Claimed, FailureKind, Finish, Lease, NewTask, Outcome, Result, TaskFailure, TaskId,
};
use uuid::Uuid;

use super::damage::{self, Unreadable};
use super::engine::Engine;
use super::error::corrupt;
use super::lanes::Pair;
use super::record::{read_policy, timestamp};
use super::transaction::Reader;
use super::value::{Column, Row};

/// The attempts behind these tasks.
const EARLIER: &str = "SELECT a.seq, a.number, w.id AS worker, a.started_at, a.ended_at, a.failure \
     FROM @attempt a JOIN @worker w ON w.\"key\" = a.worker WHERE a.seq IN (?*) ORDER BY a.seq, a.number";

/// What was claimed, as the store gave it: reading it takes longer than getting it, and
/// is done when the store's lock is free again.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) next_due: Option<Duration>,
    pub(crate) worker: i64,
    pub(crate) batch: i64,
    pub(crate) now: i64,
    /// Queue and name of each lane that may appear.
    pub(crate) lanes: Arc<BTreeMap<i64, Pair>>,
    pub(crate) tasks: Tasks,
}

/// The tasks, in the order in which to start them.
#[derive(Default)]
pub(crate) enum Tasks {
    #[default]
    None,
    /// One text for all: an array of arrays.
    Json(Arc<str>),
    /// A row for each.
    Rows(Vec<Row>),
    /// A column for each thing to know of them.
    Columns(Row),
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
    arguments: Text<'t>,
    #[serde(borrow)]
    policy: Option<Text<'t>>,
    #[serde(borrow)]
    metadata: Option<Text<'t>>,
    /// The id where it did not come as text.
    #[serde(skip)]
    known_id: Option<TaskId>,
}

/// A text inside another one, or one of its own.
#[derive(Deserialize)]
#[serde(from = "Borrowed<'t>", bound(deserialize = "'de: 't"))]
enum Text<'t> {
    Inside(Cow<'t, str>),
    Shared(Arc<str>),
}

#[derive(Deserialize)]
struct Borrowed<'t>(#[serde(borrow)] Cow<'t, str>);

impl<'t> From<Borrowed<'t>> for Text<'t> {
    fn from(text: Borrowed<'t>) -> Self {
        Self::Inside(text.0)
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Inside(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<Text<'_>> for Arc<str> {
    fn from(text: Text<'_>) -> Self {
        match text {
            Text::Inside(text) => text.into(),
            Text::Shared(text) => text,
        }
    }
}

impl Read<'_> {
    fn of(row: &Row) -> Result<Read<'static>, Unreadable> {
        Self::try_of(row).map_err(|error| Unreadable {
            seq: row.int("seq").unwrap_or(0),
            lane: row.int("lane").unwrap_or(0),
            attempt: row.number("attempt").unwrap_or(0),
            error,
        })
    }

    fn of_columns(row: &Row) -> Result<Vec<Read<'static>>> {
        let (lanes, ranks, dues) = (ints(row, "lane")?, ints(row, "rank")?, ints(row, "due")?);
        let (attempts, last_attempts) = (ints(row, "attempt")?, ints(row, "last_attempt")?);
        let (seqs, enqueued) = (ints(row, "seq")?, ints(row, "enqueued_at")?);
        let (arguments, policies, metadata) = (
            texts(row, "arguments")?,
            texts(row, "policy")?,
            texts(row, "metadata")?,
        );
        let Some(Column::Ids(ids)) = row.column("id")? else {
            return Err(corrupt("claimed tasks have no ids"));
        };
        let missing = || corrupt("what was claimed is not there in all columns");
        let int = |column: &[Option<i64>], at: usize| column.get(at).copied().flatten().ok_or_else(missing);
        let text = |column: &[Option<Arc<str>>], at: usize| column.get(at).cloned().flatten();
        let read = |(at, id): (usize, &Uuid)| {
            Ok(Read {
                lane: int(lanes, at)?,
                rank: int(ranks, at)?,
                due: dues.get(at).copied().flatten(),
                seq: int(seqs, at)?,
                attempt: int(attempts, at)?,
                last_attempt: int(last_attempts, at)?,
                id: "",
                enqueued_at: int(enqueued, at)?,
                arguments: Text::Shared(text(arguments, at).ok_or_else(missing)?),
                policy: text(policies, at).map(Text::Shared),
                metadata: text(metadata, at).map(Text::Shared),
                known_id: Some(TaskId::from_bytes(id.as_bytes()).ok_or_else(missing)?),
            })
        };
        ids.iter().enumerate().map(read).collect()
    }

    fn try_of(row: &Row) -> Result<Read<'static>> {
        Ok(Read {
            lane: row.int("lane")?,
            rank: row.int("rank")?,
            due: row.maybe_int("due")?,
            seq: row.int("seq")?,
            attempt: row.int("attempt")?,
            last_attempt: row.int("last_attempt")?,
            id: "",
            enqueued_at: row.int("enqueued_at")?,
            arguments: Text::Shared(row.text("arguments")?),
            policy: row.maybe_text("policy")?.map(Text::Shared),
            metadata: row.maybe_text("metadata")?.map(Text::Shared),
            known_id: Some(row.id("id")?),
        })
    }
}

fn ints<'r>(row: &'r Row, column: &str) -> Result<&'r [Option<i64>]> {
    match row.column(column)? {
        Some(Column::Ints(ints)) => Ok(ints),
        _ => Err(corrupt(format!("{column} of claimed tasks are no numbers"))),
    }
}

fn texts<'r>(row: &'r Row, column: &str) -> Result<&'r [Option<Arc<str>>]> {
    match row.column(column)? {
        Some(Column::Texts(texts)) => Ok(texts),
        None => Ok(&[]),
        _ => Err(corrupt(format!("{column} of claimed tasks are no texts"))),
    }
}

impl Taken {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.tasks, Tasks::None)
    }

    /// The claimed tasks as records, and the ends of those that cannot be run because what is
    /// stored about them is damaged.
    pub(crate) async fn read(self, engine: &Arc<dyn Engine>) -> Result<(Claim, Vec<Finish>)> {
        let mut claim = Claim {
            tasks: Vec::new(),
            damaged: 0,
            next_due: self.next_due,
        };
        let entries = match &self.tasks {
            Tasks::None => return Ok((claim, Vec::new())),
            Tasks::Json(text) => damage::entries::<Read<'_>>(text)?,
            Tasks::Rows(rows) => rows.iter().map(Read::of).collect(),
            Tasks::Columns(row) => Read::of_columns(row)?.into_iter().map(Ok).collect(),
        };
        let (mut again, mut ends) = (Vec::new(), Vec::new());
        claim.tasks.reserve(entries.len());
        for (position, entry) in (0..).zip(entries) {
            match entry.and_then(|task| self.claimed(position, task)) {
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
            let mut reader = Reader::begin(engine).await?;
            add_earlier_attempts(&mut reader, again, &mut claim.tasks).await?;
        }
        Ok((claim, ends))
    }

    /// One task as a record, or what is known of it where that is not possible.
    fn claimed(&self, position: u32, task: Read<'_>) -> Result<Claimed, Unreadable> {
        let (seq, lane, attempt) = (task.seq, task.lane, u32::try_from(task.attempt).unwrap_or(0));
        self.record(position, task).map_err(|error| Unreadable {
            seq,
            lane,
            attempt,
            error,
        })
    }

    fn record(&self, position: u32, task: Read<'_>) -> Result<Claimed> {
        let (queue, name) = self
            .lanes
            .get(&task.lane)
            .ok_or_else(|| corrupt(format!("lane {} is not there", task.lane)))?;
        damage::refuse_marked(&task.arguments, "the arguments")?;
        let id: TaskId = match task.known_id {
            Some(id) => id,
            None => task.id.parse()?,
        };
        let number = |what: &str, number: i64| {
            u32::try_from(number).map_err(|_| corrupt(format!("{what} of {number}")))
        };
        let mut record = NewTask {
            id,
            name: name.clone(),
            queue: queue.clone(),
            priority: i32::try_from(-task.rank).map_err(|_| corrupt(format!("a rank of {}", task.rank)))?,
            run_after: None,
            arguments: task.arguments.into(),
            policy: read_policy(task.policy.as_deref())?,
            metadata: task.metadata.map(Into::into),
            unique: None,
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
async fn add_earlier_attempts(reader: &mut Reader, seqs: Vec<i64>, tasks: &mut [Claimed]) -> Result<()> {
    let mut attempts: BTreeMap<i64, Vec<AttemptError>> = BTreeMap::new();
    for row in reader.fetch(EARLIER, [seqs.into()]).await? {
        attempts
            .entry(row.int("seq")?)
            .or_default()
            .push(super::record::read_attempt(&row)?);
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
