//! The raw limit of MySQL and MariaDB: the same rows in the same tables, moved by the bare driver
//! in the best batches, with nothing around it.

use std::time::Instant;

use sqlx::mysql::MySqlArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, Row as _};
use uuid::Uuid;

use super::place::{Place, url_of};
use super::{CLAIM_BATCH, ENQUEUE_BATCH, STARTED_AT};
use crate::Outcome;
use crate::ours::{NOTE, rate};

const PICK: &str = "SELECT seq, attempt, last_attempt FROM ready FORCE INDEX (by_lane) WHERE lane = 1 \
     ORDER BY lane, `rank`, due, seq LIMIT ? FOR UPDATE SKIP LOCKED";

async fn connect(place: &Place) -> Outcome<MySqlConnection> {
    let mut connection = MySqlConnection::connect(&url_of(&place.server, &place.name)?).await?;
    connection
        .execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        .await?;
    Ok(connection)
}

async fn with_a_lane(place: &Place) -> Outcome<MySqlConnection> {
    let mut connection = connect(place).await?;
    let lane = "INSERT INTO lane (id, queue, name) VALUES (1, 'default', 'bench::noop')";
    connection.execute(lane).await?;
    Ok(connection)
}

async fn text(connection: &mut MySqlConnection, sql: String) -> Outcome {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}

/// One batch, in a transaction of its own.
async fn store(connection: &mut MySqlConnection, numbers: std::ops::Range<usize>) -> Outcome {
    let count = numbers.len();
    let mut values = MySqlArguments::default();
    for number in numbers {
        values.add(Uuid::now_v7().as_bytes().to_vec())?;
        values.add(STARTED_AT)?;
        values.add(STARTED_AT)?;
        values.add(format!(r#"{{"number":{number},"note":"{NOTE}"}}"#))?;
    }
    let rows = vec!["(?,1,0,?,?,?)"; count].join(",");
    let insert = format!("INSERT INTO task (id, lane, `rank`, due, enqueued_at, arguments) VALUES {rows}");
    text(connection, "START TRANSACTION".to_owned()).await?;
    sqlx::query_with(AssertSqlSafe(insert), values)
        .execute(&mut *connection)
        .await?;
    let ready = format!(
        "INSERT INTO ready (lane, `rank`, due, seq, attempt, last_attempt) SELECT lane, `rank`, due, seq, 0, 1 \
         FROM task WHERE seq BETWEEN LAST_INSERT_ID() AND LAST_INSERT_ID() + {count} - 1; COMMIT"
    );
    text(connection, ready).await
}

async fn fill(connection: &mut MySqlConnection, tasks: usize) -> Outcome {
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
        text(&mut connection, "START TRANSACTION; DELETE FROM claim".to_owned()).await?;
        finish(&mut connection, &claimed).await?;
        claimed = claim(&mut connection).await?;
        if claimed.is_empty() {
            text(&mut connection, "COMMIT".to_owned()).await?;
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

async fn finish(connection: &mut MySqlConnection, claimed: &[i64]) -> Outcome {
    if claimed.is_empty() {
        return Ok(());
    }
    let mut values = MySqlArguments::default();
    for seq in claimed {
        values.add(*seq)?;
        values.add(STARTED_AT)?;
        values.add(STARTED_AT + *seq)?;
        values.add(seq.to_string())?;
    }
    let rows = vec!["(?,1,1,1,1,?,?,?)"; claimed.len()].join(",");
    let insert = format!(
        "INSERT INTO result (seq, status, lane, worker, attempt, started_at, finished_at, value) VALUES {rows}"
    );
    sqlx::query_with(AssertSqlSafe(insert), values)
        .execute(connection)
        .await?;
    Ok(())
}

async fn claim(connection: &mut MySqlConnection) -> Outcome<Vec<i64>> {
    let picked = sqlx::query(PICK)
        .bind(i64::try_from(CLAIM_BATCH)?)
        .fetch_all(&mut *connection)
        .await?;
    let seqs: Vec<i64> = picked
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    if seqs.is_empty() {
        return Ok(seqs);
    }
    let list = seqs.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let read = format!("SELECT seq, id, arguments FROM task WHERE seq IN ({list})");
    for row in sqlx::raw_sql(AssertSqlSafe(read))
        .fetch_all(&mut *connection)
        .await?
    {
        let _: (i64, Vec<u8>, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    }
    let take = format!(
        "INSERT INTO claim (worker, claimed_at, started, remaining, tasks) VALUES (1, 1, 0, {}, '{list}'); \
         DELETE FROM ready WHERE seq IN ({list}); COMMIT",
        seqs.len()
    );
    text(connection, take).await?;
    Ok(seqs)
}
