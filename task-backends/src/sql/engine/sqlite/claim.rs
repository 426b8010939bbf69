//! Taking tasks from SQLite: the first of all lanes a worker may take from, in one order.

use task_core::{ClaimRequest, Result};

use super::list;
use crate::sql::claim::{Place, Waiting, check_living, last_of, next_due};
use crate::sql::error::corrupt;
use crate::sql::json::{count, parse};
use crate::sql::lanes::{self, Divided};
use crate::sql::taken::{Taken, Tasks};
use crate::sql::transaction::Transaction;
use crate::sql::value::{Row, Value};

/// How many scheduled tasks that have become due are moved over by one claim.
const PROMOTE: i64 = 5000;

/// Moves what has become due to where it can be claimed.
const PROMOTE_INSERT: &str = "INSERT INTO ready (lane, rank, due, seq, attempt, last_attempt) \
     SELECT lane, rank, due, seq, attempt, last_attempt FROM scheduled WHERE due <= ? ORDER BY due, seq LIMIT ?";
const PROMOTE_DELETE: &str = "DELETE FROM scheduled WHERE (due, seq) IN \
     (SELECT due, seq FROM scheduled WHERE due <= ? ORDER BY due, seq LIMIT ?)";

/// Whether the worker lives, what is due next, which lanes there are, and whether anything waits.
const OUTLOOK: &str = "SELECT (SELECT ended_at IS NULL FROM worker WHERE key = ?) AS living, \
     (SELECT min(due) FROM scheduled) AS next_due, \
     (SELECT max(id) FROM lane) AS last_lane, \
     EXISTS (SELECT 1 FROM ready) AS waiting";

/// Whether anything waits in these lanes.
const WAITING: &str =
    "SELECT EXISTS (SELECT 1 FROM json_each(?) l JOIN ready r ON r.lane = l.value) AS waiting";

/// Up to so many lanes are looked at one by one without asking about the others.
const FEW_LANES: usize = 16;

/// The first waiting task of every lane that has one, found by leaping from lane to
/// lane through the key of `ready`.
const HEADS: &str = "WITH RECURSIVE waiting(lane) AS ( \
         SELECT min(lane) FROM ready \
         UNION ALL \
         SELECT (SELECT min(lane) FROM ready WHERE lane > waiting.lane) FROM waiting WHERE waiting.lane IS NOT NULL) \
     SELECT r.lane, r.rank, r.due, r.seq FROM waiting w \
         JOIN ready r ON r.lane = w.lane AND (r.rank, r.due, r.seq) = \
             (SELECT rank, due, seq FROM ready WHERE lane = w.lane ORDER BY rank, due, seq LIMIT 1)";

/// The first tasks of these lanes, at most so many of each, to see how far to go.
const FIRST_OF_LANES: &str = "SELECT json_group_array(json(( \
         SELECT json_group_array(json_array(lane, rank, due, seq)) FROM \
             (SELECT lane, rank, due, seq FROM ready WHERE lane = l.value ORDER BY rank, due, seq LIMIT ?)))) AS shown \
     FROM json_each(?) l";

/// What to take, in the order in which to run it: the first of everything ..
const OF_EVERYTHING: &str = "SELECT lane, rank, due, seq, attempt, last_attempt FROM ready INDEXED BY ready_order \
     ORDER BY rank, due, seq LIMIT ?";
/// .. or of one lane ..
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
/// The place of the last one to take; nothing when there are fewer.
const LAST_OF_EVERYTHING: &str =
    "SELECT rank, due, seq FROM ready INDEXED BY ready_order ORDER BY rank, due, seq LIMIT 1 OFFSET ?";
const LAST_OF_ONE_LANE: &str =
    "SELECT rank, due, seq FROM ready WHERE lane = ? ORDER BY rank, due, seq LIMIT 1 OFFSET ?";
/// How SQL writes one entry of a claim's list: the number alone for a first attempt whose
/// failure is final, as nearly all are; else with the attempts so far and the final one.
const ENTRY: &str = "seq || iif(attempt = 0 AND last_attempt = 1, '', ':' || attempt || ':' || last_attempt)";

/// Everything about the claimed tasks in one row: reading many small rows costs more than
/// parsing one text.
const READ: &str = "SELECT (SELECT max(id) FROM claim) AS claim, json_group_array(json_array( \
     r.lane, r.rank, nullif(r.due, t.enqueued_at), r.seq, r.attempt, r.last_attempt, hex(t.id), t.enqueued_at, \
     t.arguments, t.policy, t.metadata)) AS tasks FROM ";
const READ_TASKS: &str = " r CROSS JOIN task t ON t.seq = r.seq";
/// What is taken is always the beginning.
const DELETE_OF_EVERYTHING: &str =
    "DELETE FROM ready INDEXED BY ready_order WHERE (rank, due, seq) <= (?, ?, ?)";
const DELETE_OF_ONE_LANE: &str = "DELETE FROM ready WHERE lane = ? AND (rank, due, seq) <= (?, ?, ?)";
const DELETE_OF_LANES: &str =
    "DELETE FROM ready WHERE lane IN (SELECT value FROM json_each(?)) AND (rank, due, seq) <= (?, ?, ?)";

/// A lane that has waiting tasks.
struct Head {
    lane: i64,
    first: Place,
}

pub(super) async fn claim(request: &ClaimRequest, transaction: &mut Transaction<'_>) -> Result<Taken> {
    let now = transaction.now().await?;
    transaction.run(PROMOTE_INSERT, [now.into(), PROMOTE.into()]);
    transaction.run(PROMOTE_DELETE, [now.into(), PROMOTE.into()]);
    let outlook = row(transaction.fetch(OUTLOOK, [request.worker.0.into()]).await?)?;
    check_living(&outlook)?;
    let mut taken = Taken {
        next_due: next_due(&outlook, now)?,
        worker: request.worker.0,
        now,
        ..Taken::default()
    };
    if request.limit == 0 || !outlook.flag("waiting")? {
        return Ok(taken);
    }
    if outlook.maybe_int("last_lane")?.unwrap_or(0) > transaction.lanes.all().last() {
        lanes::read_new(transaction).await?;
    }
    let lanes = transaction.lanes.divide(request);
    let Some(selection) = select(transaction, &lanes, request.limit).await? else {
        return Ok(taken);
    };
    taken.lanes = lanes.own.clone();
    let claim = [taken.worker.into(), now.into(), count(request.starting).into()];
    selection.take(transaction, claim, taken).await
}

fn row(mut rows: Vec<Row>) -> Result<Row> {
    rows.pop()
        .ok_or_else(|| corrupt("a query without FROM returned no row"))
}

/// What to take. Where nothing waits that is not for this worker, as usual, it takes from the
/// front of everything: it does not matter then how many lanes there are. Else it looks at each
/// lane that has tasks, and never reads past what is not for it.
async fn select(
    transaction: &mut Transaction<'_>,
    lanes: &Divided,
    limit: usize,
) -> Result<Option<Selection>> {
    let is_everything = if lanes.own.is_empty() {
        return Ok(None);
    } else if lanes.others.is_empty() {
        true
    } else if lanes.own.len() <= FEW_LANES {
        false
    } else {
        let others = list(&lanes.others).into();
        !row(transaction.fetch(WAITING, [others]).await?)?.flag("waiting")?
    };
    if is_everything {
        return Ok(Some(Selection::of_everything(limit)));
    }
    let mut heads = Vec::new();
    for row in transaction.fetch(HEADS, []).await? {
        let lane = row.int("lane")?;
        if lanes.own.contains_key(&lane) {
            let first = Place::read(&row)?;
            heads.push(Head { lane, first });
        }
    }
    heads.sort_by_key(|head| head.first);
    Ok(match heads.as_slice() {
        [] => None,
        [head] => Some(Selection::of_one_lane(head, limit)),
        heads => Some(Selection::up_to(
            heads,
            last_place(transaction, heads, limit).await?,
        )),
    })
}

/// The place of the last task to take when `limit` are wanted of all these lanes together.
async fn last_place(transaction: &mut Transaction<'_>, heads: &[Head], limit: usize) -> Result<Place> {
    // What comes behind as many heads as are wanted is not among the first of them.
    let heads = &heads[..heads.len().min(limit)];
    // Each lane shows more than its share; what comes behind everything that was shown of
    // a lane is not taken, since more of that lane may come before it.
    let each = (2 * limit / heads.len() + 16).min(limit);
    let rows = transaction
        .fetch(FIRST_OF_LANES, [count(each).into(), lanes(heads)])
        .await?;
    let text = rows
        .first()
        .ok_or_else(|| corrupt("an aggregate returned no row"))?
        .text("shown")?;
    let shown: Vec<Vec<(i64, i64, i64, i64)>> = parse(&text)?;
    let waiting = shown.into_iter().flatten().map(|(lane, rank, due, seq)| Waiting {
        place: Place { rank, due, seq },
        lane,
    });
    last_of(waiting.collect(), each, limit).ok_or_else(|| corrupt("lanes with a first task have none"))
}

fn lanes(heads: &[Head]) -> Value {
    let lanes: Vec<i64> = heads.iter().map(|head| head.lane).collect();
    list(&lanes).into()
}

/// Which waiting tasks to take.
struct Selection {
    select: &'static str,
    values: Vec<Value>,
    delete: &'static str,
    /// One lane's number, a list of them, or nothing for all.
    lanes: Option<Value>,
    /// What stands up to here in these lanes is taken.
    last: Last,
}

/// The last place to take.
enum Last {
    Known(Place),
    /// It is asked for together with the tasks.
    AskedFor(&'static str, Vec<Value>),
}

impl Selection {
    fn of_everything(limit: usize) -> Self {
        Self {
            select: OF_EVERYTHING,
            values: vec![count(limit).into()],
            delete: DELETE_OF_EVERYTHING,
            lanes: None,
            last: Last::AskedFor(LAST_OF_EVERYTHING, vec![count(limit - 1).into()]),
        }
    }

    fn of_one_lane(head: &Head, limit: usize) -> Self {
        Self {
            select: OF_ONE_LANE,
            values: vec![head.lane.into(), count(limit).into()],
            delete: DELETE_OF_ONE_LANE,
            lanes: Some(head.lane.into()),
            last: Last::AskedFor(LAST_OF_ONE_LANE, vec![head.lane.into(), count(limit - 1).into()]),
        }
    }

    fn up_to(heads: &[Head], last: Place) -> Self {
        let lanes = lanes(heads);
        let values = vec![lanes.clone(), last.rank.into(), last.due.into(), last.seq.into()];
        Self {
            select: OF_LANES,
            values,
            delete: DELETE_OF_LANES,
            lanes: Some(lanes),
            last: Last::Known(last),
        }
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
            Last::AskedFor(query, values) => {
                transaction.run(query, values);
                None
            }
        };
        let rows = transaction
            .fetch(&format!("{READ} ({select}) {READ_TASKS}"), self.values)
            .await?;
        let row = rows
            .last()
            .ok_or_else(|| corrupt("an aggregate returned no row"))?;
        taken.batch = row.int("claim")?;
        taken.tasks = Tasks::Json(row.text("tasks")?);
        // A row before it is the last place; where there are fewer tasks all are taken.
        let last = match (known, rows.as_slice()) {
            (Some(place), _) => place,
            (None, [last, _]) => Place::read(last)?,
            (None, _) => Place::LAST,
        };
        // Goes with the commit.
        let place = [last.rank, last.due, last.seq].map(Value::from);
        transaction.run(self.delete, self.lanes.into_iter().chain(place));
        Ok(taken)
    }
}
