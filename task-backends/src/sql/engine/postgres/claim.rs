//! Taking tasks from PostgreSQL: one statement picks, deletes, writes the claim and reads.

use async_trait::async_trait;
use task_core::Result;

use super::super::server::{Source, Taking};
use crate::sql::claim::{Place, Waiting};
use crate::sql::json::count;
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

/// Deletes what was picked by its place, writes the claim down and reads the tasks. Where
/// something ran before, the worker says of each batch how far it was started.
const TAKE: &str = "gone AS (DELETE FROM @ready WHERE ctid = ANY (ARRAY(SELECT place FROM picked))), \
     written AS (INSERT INTO @claim (worker, claimed_at, started, remaining, tasks) \
         SELECT ?, ?, CASE WHEN max(attempt) > 0 THEN 0 ELSE least(?, count(*)) END, count(*), \
             string_agg(CASE WHEN attempt = 0 AND last_attempt = 1 THEN seq::text \
                 ELSE seq || ':' || attempt || ':' || last_attempt END, ',' ORDER BY \"rank\", due, seq) \
         FROM picked HAVING count(*) > 0 RETURNING id) \
     SELECT w.id AS claim, p.lane, p.\"rank\", nullif(p.due, t.enqueued_at) AS due, p.seq, p.attempt, \
         p.last_attempt, t.id, t.enqueued_at, t.arguments, t.policy, t.metadata \
     FROM picked p JOIN @task t ON t.seq = p.seq CROSS JOIN written w ORDER BY p.\"rank\", p.due, p.seq";

pub(super) struct PostgresTaking;

#[async_trait]
impl Taking for PostgresTaking {
    async fn promote(&self, transaction: &mut Transaction<'_>, limit: usize) -> Result<()> {
        let now = transaction.now();
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
        claim: [Value; 3],
    ) -> Result<Option<(i64, Vec<Row>)>> {
        let limit = Value::from(count(limit));
        let (pick, mut values) = match source {
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
        values.extend(claim);
        let query = format!("WITH picked AS MATERIALIZED ({pick}), {TAKE}");
        let rows = transaction.fetch(&query, values).await?;
        Ok(match rows.first() {
            Some(row) => Some((row.int("claim")?, rows)),
            None => None,
        })
    }
}
