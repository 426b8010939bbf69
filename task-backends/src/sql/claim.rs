//! Taking tasks: the first of all lanes a worker may take from, in one order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use task_core::{ClaimRequest, Error, ErrorKind, Result};

use super::error::{corrupt, from_sqlx};
use super::json::{count, json, parse};
use super::listed::ENTRY;
use super::script::Value;
use super::taken::Taken;
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

/// The first tasks of these lanes, at most so many of each, to see how far to go.
const FIRST_OF_LANES: &str = "SELECT json_group_array(json(( \
         SELECT json_group_array(json_array(lane, rank, due, seq)) FROM \
             (SELECT lane, rank, due, seq FROM ready WHERE lane = l.value ORDER BY rank, due, seq LIMIT ?)))) \
     FROM json_each(?) l";

/// What to take, in the order in which to run it: the first of one lane ..
const OF_ONE_LANE: &str = "SELECT lane, rank, due, seq, attempt, last_attempt FROM ready \
     WHERE lane = ? ORDER BY rank, due, seq LIMIT ?";
/// .. or all that comes up to a point in several lanes.
const OF_LANES: &str = "SELECT r.lane, r.rank, r.due, r.seq, r.attempt, r.last_attempt \
     FROM json_each(?) l CROSS JOIN ready r ON r.lane = l.value AND (r.rank, r.due, r.seq) <= (?, ?, ?) \
     ORDER BY r.rank, r.due, r.seq";

/// Writes the claim down: before a worker, a time and how many start at once. Where something
/// ran before, the worker says of each batch how far it was started.
const CLAIM: &str = "INSERT INTO claim (worker, claimed_at, started, remaining, tasks) \
     SELECT ?, ?, min(?, iif(max(attempt) > 0, 0, count(*))), count(*), ";
/// The place of the last one to take of one lane; nothing when the lane has fewer.
const LAST_OF_ONE_LANE: &str =
    "SELECT rank, due, seq FROM ready WHERE lane = ? ORDER BY rank, due, seq LIMIT 1 OFFSET ?";
/// Everything about the claimed tasks in one row: reading many small rows costs more than
/// parsing one text.
const READ: &str = "SELECT (SELECT max(id) FROM claim) AS claim, json_group_array(json_array( \
     r.lane, r.rank, nullif(r.due, t.enqueued_at), r.seq, r.attempt, r.last_attempt, hex(t.id), t.enqueued_at, \
     t.arguments, t.policy, t.metadata)) AS tasks FROM ";
const READ_TASKS: &str = " r CROSS JOIN task t ON t.seq = r.seq";
/// What is taken of a lane is always its beginning.
const DELETE_OF_ONE_LANE: &str = "DELETE FROM ready WHERE lane = ? AND (rank, due, seq) <= (?, ?, ?)";
const DELETE_OF_LANES: &str =
    "DELETE FROM ready WHERE lane IN (SELECT value FROM json_each(?)) AND (rank, due, seq) <= (?, ?, ?)";

/// A place in the order in which tasks run: small ranks first, then by due time, then by
/// arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    rank: i64,
    due: i64,
    seq: i64,
}

impl Place {
    /// Behind everything.
    const LAST: Self = Self {
        rank: i64::MAX,
        due: i64::MAX,
        seq: i64::MAX,
    };

    fn read(row: &SqliteRow) -> Result<Self> {
        Ok(Self {
            rank: row.try_get("rank").map_err(from_sqlx)?,
            due: row.try_get("due").map_err(from_sqlx)?,
            seq: row.try_get("seq").map_err(from_sqlx)?,
        })
    }
}

/// A waiting task of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    place: Place,
    lane: i64,
}

/// The lane of a head, with its queue and task name.
pub(crate) struct Head {
    pub(super) lane: i64,
    pub(super) queue: Arc<str>,
    pub(super) name: Arc<str>,
    first: Place,
}

pub(crate) struct ClaimWork(pub(crate) ClaimRequest);

#[async_trait]
impl Work for ClaimWork {
    type Answer = Taken;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Taken> {
        let request = &self.0;
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
        let next_due = next_due.map(|due| Duration::from_micros(u64::try_from(due - now).unwrap_or(0)));
        let heads = select_heads(&rows, request)?;
        let taken = Taken {
            next_due,
            worker: request.worker.0,
            now,
            heads,
            ..Taken::default()
        };
        if request.limit == 0 {
            return Ok(taken);
        }
        let claim = [taken.worker.into(), now.into(), count(request.starting).into()];
        let selection = match taken.heads.as_slice() {
            [] => return Ok(taken),
            [head] => Selection::of_one_lane(head, request.limit),
            heads => Selection::up_to(heads, last_place(transaction, heads, request.limit).await?)?,
        };
        selection.take(transaction, claim, taken).await
    }
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
            let first = Place::read(row)?;
            heads.push(Head {
                lane,
                queue: queue.into(),
                name: name.into(),
                first,
            });
        }
    }
    heads.sort_by_key(|head| head.first);
    Ok(heads)
}

/// The place of the last task to take when `limit` are wanted of all these lanes together.
async fn last_place(transaction: &mut Transaction<'_>, heads: &[Head], limit: usize) -> Result<Place> {
    // Each lane shows more than its share; what comes behind everything that was shown of
    // a lane is not taken, since more of that lane may come before it.
    let each = (2 * limit / heads.len() + 16).min(limit);
    let rows = transaction
        .fetch(FIRST_OF_LANES, [count(each).into(), lanes(heads)?.into()])
        .await?;
    let text: &str = rows
        .first()
        .ok_or_else(|| corrupt("an aggregate returned no row"))?
        .try_get(0)
        .map_err(from_sqlx)?;
    let shown: Vec<Vec<(i64, i64, i64, i64)>> = parse(text)?;
    let mut waiting: Vec<Waiting> = shown
        .into_iter()
        .flatten()
        .map(|(lane, rank, due, seq)| Waiting {
            place: Place { rank, due, seq },
            lane,
        })
        .collect();
    waiting.sort_unstable();
    cut_at_the_unseen(&mut waiting, each);
    waiting.truncate(limit);
    waiting
        .last()
        .map(|last| last.place)
        .ok_or_else(|| corrupt("lanes with a first task have none"))
}

/// Removes what may come after a task that was not shown: of a lane that showed as many
/// as it was asked for, nothing behind its last one is known.
fn cut_at_the_unseen(waiting: &mut Vec<Waiting>, each: usize) {
    let mut of_lane: BTreeMap<i64, (usize, Place)> = BTreeMap::new();
    for task in waiting.iter() {
        let entry = of_lane.entry(task.lane).or_insert((0, task.place));
        *entry = (entry.0 + 1, task.place);
    }
    let last_known = of_lane
        .values()
        .filter(|(shown, _)| *shown >= each)
        .map(|(_, last)| *last)
        .min();
    if let Some(last_known) = last_known {
        waiting.retain(|task| task.place <= last_known);
    }
}

fn lanes(heads: &[Head]) -> Result<String> {
    json(&heads.iter().map(|head| head.lane).collect::<Vec<_>>())
}

/// Which waiting tasks to take.
struct Selection {
    select: &'static str,
    values: Vec<Value>,
    delete: &'static str,
    /// One lane's number, or a list of them.
    lanes: Value,
    /// What stands up to here in these lanes is taken.
    last: Last,
}

/// The last place to take.
enum Last {
    Known(Place),
    /// It is asked for together with the tasks, by these values of [`LAST_OF_ONE_LANE`].
    AskedFor(Vec<Value>),
}

impl Selection {
    fn of_one_lane(head: &Head, limit: usize) -> Self {
        Self {
            select: OF_ONE_LANE,
            values: vec![head.lane.into(), count(limit).into()],
            delete: DELETE_OF_ONE_LANE,
            lanes: head.lane.into(),
            last: Last::AskedFor(vec![head.lane.into(), count(limit - 1).into()]),
        }
    }

    fn up_to(heads: &[Head], last: Place) -> Result<Self> {
        let lanes: Value = lanes(heads)?.into();
        let values = vec![lanes.clone(), last.rank.into(), last.due.into(), last.seq.into()];
        Ok(Self {
            select: OF_LANES,
            values,
            delete: DELETE_OF_LANES,
            lanes,
            last: Last::Known(last),
        })
    }

    /// Writes the claim down, reads the tasks and removes them from where they waited.
    async fn take(
        self,
        transaction: &mut Transaction<'_>,
        claim: [Value; 3],
        mut taken: Taken,
    ) -> Result<Taken> {
        let select = self.select;
        let write = format!("{CLAIM} group_concat({ENTRY}) FROM ({select})");
        transaction.run(&write, claim.into_iter().chain(self.values.clone()));
        let known = match self.last {
            Last::Known(place) => Some(place),
            Last::AskedFor(values) => {
                transaction.run(LAST_OF_ONE_LANE, values);
                None
            }
        };
        let rows = transaction
            .fetch(&format!("{READ} ({select}) {READ_TASKS}"), self.values)
            .await?;
        let row = rows
            .last()
            .ok_or_else(|| corrupt("an aggregate returned no row"))?;
        taken.batch = row.try_get("claim").map_err(from_sqlx)?;
        taken.tasks = row.try_get("tasks").map_err(from_sqlx)?;
        // A row before it is the last place; a lane with fewer tasks is taken to its end.
        let last = match (known, rows.as_slice()) {
            (Some(place), _) => place,
            (None, [last, _]) => Place::read(last)?,
            (None, _) => Place::LAST,
        };
        // Goes with the commit.
        transaction.run(
            self.delete,
            [self.lanes, last.rank.into(), last.due.into(), last.seq.into()],
        );
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(lane: i64, due: i64) -> Waiting {
        Waiting {
            place: Place {
                rank: 0,
                due,
                seq: due,
            },
            lane,
        }
    }

    #[test]
    fn nothing_is_taken_that_an_unseen_task_may_precede() {
        // Lane 1 showed the two it was asked for and may have more from 4 on; lane 2 is exhausted.
        let mut tasks = vec![waiting(1, 1), waiting(2, 3), waiting(1, 4), waiting(2, 9)];
        cut_at_the_unseen(&mut tasks, 3);
        assert_eq!(tasks.len(), 4, "no lane showed as many as it was asked for");
        tasks.pop();
        tasks.push(waiting(3, 9));
        cut_at_the_unseen(&mut tasks, 2);
        assert_eq!(
            tasks.iter().map(|task| task.place.due).collect::<Vec<_>>(),
            [1, 3, 4]
        );
    }
}
