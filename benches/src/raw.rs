//! The raw limit: the same rows moved by the bare driver in the best batches, with
//! nothing around it. The tables are those of the real store.

use std::time::Instant;

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{
    Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _,
    SqliteConnection,
};
use task_core::TaskId;
use tempfile::TempDir;

use crate::Outcome;
use crate::ours::{NOTE, rate};

const SCHEMA: &str = include_str!("../../task-backends/migrations/sqlite/0001_tasks.sql");
const ENQUEUE_BATCH: usize = 1000;
const CLAIM_BATCH: usize = 2000;
/// A time as the store keeps it: microseconds since 1970.
const STARTED_AT: i64 = 1_700_000_000_000_000;

async fn open() -> Outcome<(TempDir, SqliteConnection)> {
    let folder = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("raw.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("cache_size", "-65536")
        .pragma("wal_autocheckpoint", "4000")
        .pragma("temp_store", "memory")
        .disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await?;
    connection.execute(SCHEMA).await?;
    connection
        .execute("INSERT INTO lane (id, queue, name) VALUES (1, 'default', 'bench::noop')")
        .await?;
    Ok((folder, connection))
}

/// Inserts tasks in batches, one transaction and one trip each.
pub(crate) async fn enqueue(tasks: usize) -> Outcome<f64> {
    let (_folder, mut connection) = open().await?;
    let began = Instant::now();
    fill(&mut connection, tasks).await?;
    let took = began.elapsed();
    connection.close().await?;
    Ok(rate(tasks, took))
}

async fn fill(connection: &mut SqliteConnection, tasks: usize) -> Outcome {
    let rows = vec!["(?,1,0,?,?,?,NULL)"; ENQUEUE_BATCH].join(",");
    let sql = format!(
        "BEGIN IMMEDIATE; \
         INSERT INTO task (id, lane, rank, due, enqueued_at, arguments, policy) VALUES {rows}; \
         INSERT INTO ready SELECT lane, rank, due, seq, 0, 1 FROM task WHERE seq > last_insert_rowid() - {ENQUEUE_BATCH}; \
         COMMIT"
    );
    for batch in 0..tasks / ENQUEUE_BATCH {
        let mut arguments = SqliteArguments::default();
        for number in 0..ENQUEUE_BATCH {
            let now = STARTED_AT + i64::try_from(batch)?;
            arguments.add(TaskId::new().as_bytes().to_vec())?;
            arguments.add(now)?;
            arguments.add(now)?;
            arguments.add(format!(r#"{{"number":{number},"note":"{NOTE}"}}"#))?;
        }
        sqlx::query_with(AssertSqlSafe(sql.clone()), arguments)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Claims and finishes tasks in batches, the ends of one with the claim of the next.
pub(crate) async fn drain(tasks: usize) -> Outcome<f64> {
    let (_folder, mut connection) = open().await?;
    fill(&mut connection, tasks).await?;
    let began = Instant::now();
    let mut claimed: Vec<i64> = Vec::new();
    let mut done = 0;
    loop {
        finish(&mut connection, &claimed).await?;
        done += claimed.len();
        claimed = claim(&mut connection).await?;
        if claimed.is_empty() {
            break;
        }
    }
    let took = began.elapsed();
    let results: i64 = sqlx::query("SELECT count(*) FROM result")
        .fetch_one(&mut connection)
        .await?
        .try_get(0)?;
    if usize::try_from(results)? != tasks || done != tasks {
        return Err(format!("{results} of {tasks} results").into());
    }
    connection.close().await?;
    Ok(rate(tasks, took))
}

async fn finish(connection: &mut SqliteConnection, claimed: &[i64]) -> Outcome {
    if claimed.is_empty() {
        connection.execute("BEGIN IMMEDIATE").await?;
        return Ok(());
    }
    let rows = vec!["(?,1,1,1,1,?,?,?)"; claimed.len()].join(",");
    let sql = format!(
        "BEGIN IMMEDIATE; DELETE FROM claim; \
         INSERT INTO result (seq, status, lane, worker, attempt, started_at, finished_at, value) VALUES {rows}"
    );
    let mut arguments = SqliteArguments::default();
    for seq in claimed {
        arguments.add(*seq)?;
        arguments.add(STARTED_AT)?;
        arguments.add(STARTED_AT + *seq)?;
        arguments.add(seq.to_string())?;
    }
    sqlx::query_with(AssertSqlSafe(sql), arguments)
        .execute(connection)
        .await?;
    Ok(())
}

type Task = (i64, i64, i64, i64, i64, String, String);

async fn claim(connection: &mut SqliteConnection) -> Outcome<Vec<i64>> {
    let query = format!(
        "SELECT json_group_array(json_array(rank, due, seq, attempt, last_attempt, hex(id), arguments)) FROM \
         (SELECT r.*, t.id, t.arguments FROM ready r JOIN task t ON t.seq = r.seq WHERE r.lane = 1 \
          ORDER BY r.rank, r.due, r.seq LIMIT {CLAIM_BATCH})"
    );
    let text: String = sqlx::query(AssertSqlSafe(query))
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    let tasks: Vec<Task> = serde_json::from_str(&text)?;
    let Some((rank, due, seq, ..)) = tasks.last() else {
        connection.execute("COMMIT").await?;
        return Ok(Vec::new());
    };
    let seqs: Vec<i64> = tasks.iter().map(|task| task.2).collect();
    let mut arguments = SqliteArguments::default();
    arguments.add(*rank)?;
    arguments.add(*due)?;
    arguments.add(*seq)?;
    arguments.add(serde_json::to_string(&seqs)?)?;
    let sql = "DELETE FROM ready WHERE lane = 1 AND (rank, due, seq) <= (?, ?, ?); \
         INSERT INTO claim (worker, claimed_at, started, remaining, tasks) VALUES (1, 1, 0, 1, ?); COMMIT";
    sqlx::query_with(sql, arguments).execute(connection).await?;
    Ok(seqs)
}
