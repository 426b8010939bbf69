//! The raw limit of PostgreSQL: the same rows in the same tables, moved by the bare driver in the
//! best batches, with nothing around it.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use uuid::Uuid;

use super::place::Place;
use super::{CLAIM_BATCH, ENQUEUE_BATCH, STARTED_AT};
use crate::Outcome;
use crate::ours::{NOTE, rate};

const ENQUEUE: &str = "WITH new AS (INSERT INTO task (id, lane, rank, due, enqueued_at, arguments) \
         SELECT n.id, 1, 0, n.due, n.due, n.arguments \
         FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS n(id, due, arguments) RETURNING lane, rank, due, seq) \
     INSERT INTO ready (lane, rank, due, seq, attempt, last_attempt) SELECT lane, rank, due, seq, 0, 1 FROM new";

const FINISH: &str = "INSERT INTO result (seq, status, lane, worker, attempt, started_at, finished_at, value) \
     SELECT n.seq, 1, 1, 1, 1, n.started_at, n.finished_at, n.value \
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS n(seq, started_at, finished_at, value)";

const CLAIM: &str = "WITH picked AS MATERIALIZED (SELECT ctid AS place, rank, due, seq, attempt, last_attempt FROM ready \
         WHERE lane = 1 ORDER BY rank, due, seq LIMIT $1 FOR UPDATE SKIP LOCKED), \
     gone AS (DELETE FROM ready WHERE ctid = ANY (ARRAY(SELECT place FROM picked))), \
     written AS (INSERT INTO claim (worker, claimed_at, started, remaining, tasks) \
         SELECT 1, 1, 0, count(*), string_agg(seq::text, ',') FROM picked HAVING count(*) > 0) \
     SELECT p.rank, p.due, p.seq, p.attempt, p.last_attempt, t.id, t.arguments \
     FROM picked p JOIN task t ON t.seq = p.seq ORDER BY p.rank, p.due, p.seq";

async fn connect(place: &Place) -> Outcome<PgConnection> {
    let mut connection = PgConnection::connect(&place.server).await?;
    let settings = format!(
        "SET search_path TO {}; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; \
         SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; SET jit = off",
        place.name
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
    Ok(connection)
}

async fn with_a_lane(place: &Place) -> Outcome<PgConnection> {
    let mut connection = connect(place).await?;
    let lane = "INSERT INTO lane (id, queue, name) VALUES (1, 'default', 'bench::noop')";
    connection.execute(lane).await?;
    Ok(connection)
}

/// One batch, in a statement and so a transaction of its own.
async fn store(connection: &mut PgConnection, numbers: std::ops::Range<usize>) -> Outcome {
    let ids: Vec<Uuid> = numbers.clone().map(|_| Uuid::now_v7()).collect();
    let times = vec![STARTED_AT; numbers.len()];
    let arguments: Vec<String> = numbers
        .map(|number| format!(r#"{{"number":{number},"note":"{NOTE}"}}"#))
        .collect();
    sqlx::query(ENQUEUE)
        .bind(ids)
        .bind(times)
        .bind(arguments)
        .execute(connection)
        .await?;
    Ok(())
}

async fn fill(connection: &mut PgConnection, tasks: usize) -> Outcome {
    for batch in 0..tasks / ENQUEUE_BATCH {
        store(connection, batch * ENQUEUE_BATCH..(batch + 1) * ENQUEUE_BATCH).await?;
    }
    Ok(())
}

/// Tasks per second that are stored in batches.
pub(super) async fn enqueue(place: &Place, tasks: usize) -> Outcome<f64> {
    let mut connection = with_a_lane(place).await?;
    let began = Instant::now();
    fill(&mut connection, tasks).await?;
    Ok(rate(tasks, began.elapsed()))
}

/// Tasks per second that so many connections at a time store one by one.
pub(super) async fn one_by_one(place: &Place, connections: usize, each: usize) -> Outcome<f64> {
    let mut open = vec![with_a_lane(place).await?];
    while open.len() < connections {
        open.push(connect(place).await?);
    }
    let began = Instant::now();
    let mut storing = tokio::task::JoinSet::new();
    for mut connection in open {
        storing.spawn(async move {
            for number in 0..each {
                store(&mut connection, number..number + 1).await?;
            }
            Outcome::Ok(())
        });
    }
    for stored in storing.join_all().await {
        stored?;
    }
    Ok(rate(connections * each, began.elapsed()))
}

/// Tasks per second that are claimed and finished in batches, the ends of one with the claim of
/// the next in one transaction.
pub(super) async fn drain(place: &Place, tasks: usize) -> Outcome<f64> {
    let mut connection = with_a_lane(place).await?;
    fill(&mut connection, tasks).await?;
    let began = Instant::now();
    let mut claimed: Vec<i64> = Vec::new();
    loop {
        connection.execute("BEGIN").await?;
        finish(&mut connection, &claimed).await?;
        claimed = claim(&mut connection).await?;
        connection.execute("COMMIT").await?;
        if claimed.is_empty() {
            break;
        }
    }
    let took = began.elapsed();
    let results: i64 = sqlx::query("SELECT count(*) FROM result")
        .fetch_one(&mut connection)
        .await?
        .try_get(0)?;
    if usize::try_from(results)? != tasks {
        return Err(format!("{results} of {tasks} results").into());
    }
    Ok(rate(tasks, took))
}

async fn finish(connection: &mut PgConnection, claimed: &[i64]) -> Outcome {
    if claimed.is_empty() {
        return Ok(());
    }
    sqlx::query(FINISH)
        .bind(claimed.to_vec())
        .bind(vec![STARTED_AT; claimed.len()])
        .bind(claimed.iter().map(|seq| STARTED_AT + seq).collect::<Vec<_>>())
        .bind(claimed.iter().map(ToString::to_string).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    connection.execute(sqlx::query("DELETE FROM claim")).await?;
    Ok(())
}

async fn claim(connection: &mut PgConnection) -> Outcome<Vec<i64>> {
    let rows = sqlx::query(CLAIM)
        .bind(i64::try_from(CLAIM_BATCH)?)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            for column in [0, 1, 3, 4] {
                let _: i64 = row.try_get(column)?;
            }
            let (_id, _arguments): (Uuid, String) = (row.try_get(5)?, row.try_get(6)?);
            Ok(row.try_get(2)?)
        })
        .collect()
}
