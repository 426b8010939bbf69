//! Taking tasks from PostgreSQL: one statement picks, deletes, writes the claim and reads.

use async_trait::async_trait;
use task_core::{ClaimRequest, Result};

use super::super::server::{Source, Taking};
use crate::sql::claim::{Place, Waiting, check_living, next_due};
use crate::sql::error::corrupt;
use crate::sql::json::count;
use crate::sql::taken::{Taken, Tasks};
use crate::sql::transaction::Transaction;
use crate::sql::value::{Row, Value};

const PROMOTE: &str = "WITH due AS (DELETE FROM @scheduled WHERE ctid = ANY (ARRAY( \
         SELECT ctid FROM @scheduled WHERE due <= ? ORDER BY due, seq LIMIT ? FOR UPDATE SKIP LOCKED)) \
         RETURNING lane, \"rank\", due, seq, attempt, last_attempt) \
     INSERT INTO @ready (lane, \"rank\", due, seq, attempt, last_attempt) \
     SELECT lane, \"rank\", due, seq, attempt, last_attempt FROM due";

const FIRST_OF_LANES: &str = "SELECT l.lane, r.\"rank\", r.due, r.seq \
     FROM unnest(CAST(? AS bigint[])) AS l(lane) CROSS JOIN LATERAL ( \
         SELECT \"rank\", due, seq FROM @ready WHERE lane = l.lane ORDER BY \"rank\", due, seq LIMIT ?) r";

/// What is picked, in the order in which to run it. Rows that another claim holds are passed over.
const OF_ONE_LANE: &str = "SELECT ctid AS place, lane, \"rank\", due, seq, attempt, last_attempt FROM @ready \
     WHERE lane = ? ORDER BY \"rank\", due, seq LIMIT ? FOR UPDATE SKIP LOCKED";
const OF_THE_FRONT: &str = "SELECT ctid AS place, lane, \"rank\", due, seq, attempt, last_attempt FROM @ready \
     WHERE lane IN (?*) ORDER BY \"rank\", due, seq LIMIT ? FOR UPDATE SKIP LOCKED";
const OF_EVERYTHING: &str = "SELECT ctid AS place, lane, \"rank\", due, seq, attempt, last_attempt FROM @ready \
     WHERE lane <= ? ORDER BY \"rank\", due, seq LIMIT ? FOR UPDATE SKIP LOCKED";
const OF_LANES: &str = "SELECT r.* FROM unnest(CAST(? AS bigint[])) AS l(lane) CROSS JOIN LATERAL ( \
         SELECT ctid AS place, lane, \"rank\", due, seq, attempt, last_attempt FROM @ready \
         WHERE lane = l.lane AND (\"rank\", due, seq) <= (?, ?, ?) \
         ORDER BY \"rank\", due, seq LIMIT ? FOR UPDATE SKIP LOCKED) r \
     ORDER BY r.\"rank\", r.due, r.seq";

/// Deletes what was picked by its place, writes the claim down and reads the tasks, as columns:
/// a row for each takes both sides longer. Where something ran before, the worker says of each
/// batch how far it was started.
const TAKE: &str = "gone AS (DELETE FROM @ready WHERE ctid = ANY (ARRAY(SELECT place FROM picked))), \
     written AS (INSERT INTO @claim (worker, claimed_at, started, remaining, tasks) \
         SELECT ?, now, CASE WHEN max(attempt) > 0 THEN 0 ELSE least(?, count(*)) END, count(*), \
             string_agg(CASE WHEN attempt = 0 AND last_attempt = 1 THEN seq::text \
                 ELSE seq || ':' || attempt || ':' || last_attempt END, ',' ORDER BY \"rank\", due, seq) \
         FROM outlook, picked GROUP BY now RETURNING id), \
     taken AS (SELECT p.lane, p.\"rank\", nullif(p.due, t.enqueued_at) AS due, p.seq, p.attempt, p.last_attempt, \
             t.id, t.enqueued_at, t.arguments, t.policy, t.metadata \
         FROM picked p JOIN @task t ON t.seq = p.seq ORDER BY p.\"rank\", p.due, p.seq) \
     SELECT o.*, (SELECT id FROM written) AS claim, n.* FROM outlook o CROSS JOIN (SELECT array_agg(lane) AS lane, \
         array_agg(\"rank\") AS \"rank\", array_agg(due) AS due, array_agg(seq) AS seq, \
         array_agg(attempt) AS attempt, array_agg(last_attempt) AS last_attempt, array_agg(id) AS id, \
         array_agg(enqueued_at) AS enqueued_at, array_agg(arguments) AS arguments, \
         CASE WHEN count(policy) > 0 THEN array_agg(policy) END AS policy, \
         CASE WHEN count(metadata) > 0 THEN array_agg(metadata) END AS metadata FROM taken) n";

/// The time, where everything else was looked at before.
const TIME: &str = "WITH outlook AS MATERIALIZED (SELECT CAST(? AS bigint) AS now)";

/// A look before: whether the worker lives, what is due next, which lanes there are. Nothing is
/// picked where that says that something else comes before.
const LOOK: &str = "WITH outlook AS MATERIALIZED (SELECT \
         (SELECT CASE WHEN ended_at IS NULL THEN 1 ELSE 0 END FROM @worker WHERE \"key\" = ?) AS living, \
         (SELECT min(due) FROM @scheduled) AS next_due, \
         coalesce((SELECT max(id) FROM @lane), 0) AS last_lane, \
         coalesce(CAST(? AS bigint), CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS now)";
const UNLESS: &str =
    "(SELECT living = 1 AND coalesce(next_due > now, true) AND last_lane <= ? FROM outlook) AND ";

/// Takes tasks by one statement, where one lane or all of them are this worker's, unless tasks
/// have become due or lanes were made of which this process has not heard.
pub(super) async fn at_once(
    clock: Option<i64>,
    request: &ClaimRequest,
    transaction: &mut Transaction<'_>,
) -> Result<Option<Taken>> {
    let known = transaction.lanes.all().last();
    let lanes = transaction.lanes.divide(request);
    let (pick, lane) = match (lanes.own.keys().next(), lanes.own.keys().next_back()) {
        (Some(first), Some(last)) if first == last => (OF_ONE_LANE, *first),
        (Some(_), Some(last)) if lanes.others.is_empty() => (OF_EVERYTHING, *last),
        _ => return Ok(None),
    };
    let worker = Value::from(request.worker.0);
    let pick = pick.replacen("WHERE ", &format!("WHERE {UNLESS}"), 1);
    let query = format!("{LOOK}, picked AS MATERIALIZED ({pick}), {TAKE}");
    let values = [
        worker.clone(),
        clock.into(),
        known.into(),
        lane.into(),
        count(request.limit).into(),
        worker,
        count(request.starting).into(),
    ];
    let row = one(transaction.fetch(&query, values).await?)?;
    check_living(&row)?;
    let now = row.int("now")?;
    let batch = row.maybe_int("claim")?;
    let is_due = row.maybe_int("next_due")?.is_some_and(|due| due <= now);
    if batch.is_none() && (is_due || row.int("last_lane")? > known) {
        return Ok(None);
    }
    Ok(Some(Taken {
        next_due: next_due(&row, now)?,
        worker: request.worker.0,
        batch: batch.unwrap_or_default(),
        now,
        lanes: lanes.own.clone(),
        tasks: batch.map_or(Tasks::None, |_| Tasks::Columns(row)),
    }))
}

fn one(mut rows: Vec<Row>) -> Result<Row> {
    rows.pop()
        .ok_or_else(|| corrupt("a query of one row returned none"))
}

pub(super) struct PostgresTaking;

#[async_trait]
impl Taking for PostgresTaking {
    async fn promote(&self, transaction: &mut Transaction<'_>, limit: usize) -> Result<()> {
        let now = transaction.now().await?;
        transaction.run(PROMOTE, [now.into(), count(limit).into()]);
        Ok(())
    }

    async fn first_of_lanes(
        &self,
        transaction: &mut Transaction<'_>,
        lanes: &[i64],
        each: usize,
    ) -> Result<Vec<Waiting>> {
        let values = [Value::List(lanes.to_vec()), count(each).into()];
        let rows = transaction.fetch(FIRST_OF_LANES, values).await?;
        rows.iter()
            .map(|row| {
                Ok(Waiting {
                    place: Place::read(row)?,
                    lane: row.int("lane")?,
                })
            })
            .collect()
    }

    async fn take(
        &self,
        transaction: &mut Transaction<'_>,
        source: Source,
        limit: usize,
        [worker, claimed_at, starting]: [Value; 3],
    ) -> Result<Option<(i64, Tasks)>> {
        let limit = Value::from(count(limit));
        let (pick, picked) = match source {
            Source::OneLane(lane) => (OF_ONE_LANE, vec![lane.into(), limit]),
            Source::Everything(last) => (OF_EVERYTHING, vec![last.into(), limit]),
            Source::Front(lanes) => (OF_THE_FRONT, vec![lanes.into(), limit]),
            Source::UpTo {
                lanes,
                last: Place { rank, due, seq },
                ..
            } => (
                OF_LANES,
                vec![lanes.into(), rank.into(), due.into(), seq.into(), limit],
            ),
        };
        let query = format!("{TIME}, picked AS MATERIALIZED ({pick}), {TAKE}");
        let mut values = vec![claimed_at];
        values.extend(picked);
        values.extend([worker, starting]);
        let row = one(transaction.fetch(&query, values).await?)?;
        let batch = row.maybe_int("claim")?;
        Ok(batch.map(|batch| (batch, Tasks::Columns(row))))
    }
}
