//! The SQLite backend: the suite, and what is its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conformance::played_worker::{PlayedWorker, succeeded};
use conformance::tasks::echo;
use conformance::{Fixture, Store, conformance};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use task_backends::{DummyBackend, SqliteBackend, SqliteOptions, Synchronous};
use task_core::{BackendAlias, Backends, Clock, Limits, TaskBackend, TaskId, TaskRecord, Timestamp};
use tempfile::TempDir;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[path = "sqlite/load.rs"]
mod load;
#[path = "sqlite/opening.rs"]
mod opening;
#[path = "sqlite/transaction.rs"]
mod transaction;

struct SqliteFile;

impl Fixture for SqliteFile {
    async fn fresh() -> Store {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Clock::manual(Timestamp::from_second(2_000_000_000).expect("in range"));
        let options = SqliteOptions::new(folder.path().join("tasks.db")).clock(clock.clone());
        let open = move || {
            let options = options.clone();
            async {
                SqliteBackend::open(options)
                    .await
                    .expect("the file can be opened")
            }
        };
        Store::opened_by(open).await.with_clock(clock).keeping(folder)
    }
}

conformance!(SqliteFile: producer, keeper, worker, operator, durable);

/// An empty folder and the path of a file in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tasks.db");
    (folder, path)
}

async fn open(path: &Path) -> task_core::Result<SqliteBackend> {
    SqliteBackend::open(SqliteOptions::new(path)).await
}

async fn opened(path: &Path) -> SqliteBackend {
    open(path).await.expect("the file can be opened")
}

/// A connection that does not go through the backend.
async fn outside(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(PATIENCE)
        .connect()
        .await
        .expect("SQLite opens it")
}

async fn run(connection: &mut SqliteConnection, sql: &'static str) {
    let ran = sqlx::query(sql).execute(connection).await;
    ran.expect("the statement is right");
}

async fn number(connection: &mut SqliteConnection, sql: &'static str) -> i64 {
    let number = sqlx::query_scalar(sql).fetch_one(connection).await;
    number.expect("the query is right")
}

/// Enqueues one task.
async fn task(store: &SqliteBackend) -> TaskRecord {
    let alias = BackendAlias::new("a", Arc::new(DummyBackend::new()), [], Limits::DEFAULT);
    let task = echo::new("x").prepare(&alias).expect("a task like any other");
    store.enqueue(vec![task]).await.expect("accepted").remove(0)
}

/// A row of the view `tasks`, times cut to milliseconds.
#[derive(Debug, PartialEq)]
struct Seen {
    id: String,
    name: String,
    queue: String,
    status: String,
    priority: i32,
    arguments: String,
    return_value: Option<String>,
    attempts: u32,
    last_error: Option<String>,
    enqueued_at: i64,
    last_attempted_at: Option<i64>,
    finished_at: Option<i64>,
}

impl Seen {
    fn of(record: &TaskRecord) -> Self {
        // The view shows what is stored of ends; when a running attempt began, only its claim says.
        let attempted = record.last_attempted_at.filter(|_| record.status.is_finished());
        Self {
            id: record.id.to_string(),
            name: record.name.to_string(),
            queue: record.queue.to_string(),
            status: record.status.to_string(),
            priority: record.priority,
            arguments: record.arguments.to_string(),
            return_value: record.return_value.clone(),
            attempts: record.attempts,
            last_error: record.errors.last().map(|error| error.failure.message.clone()),
            enqueued_at: record.enqueued_at.as_millisecond(),
            last_attempted_at: attempted.map(Timestamp::as_millisecond),
            finished_at: record.finished_at.map(Timestamp::as_millisecond),
        }
    }

    async fn in_view(connection: &mut SqliteConnection, id: TaskId) -> Self {
        let row = sqlx::query("SELECT * FROM tasks WHERE key = ?").bind(id.as_bytes().as_slice());
        let row = row.fetch_one(connection).await.expect("the view has every task");
        let moment = |column| {
            let text: Option<String> = row.get(column);
            text.map(|text| text.parse::<Timestamp>().expect("a time").as_millisecond())
        };
        Self {
            id: row.get("id"),
            name: row.get("name"),
            queue: row.get("queue"),
            status: row.get("status"),
            priority: row.get("priority"),
            arguments: row.get("arguments"),
            return_value: row.get("return_value"),
            attempts: row.get("attempts"),
            last_error: row.get("last_error"),
            enqueued_at: moment("enqueued_at").expect("always there"),
            last_attempted_at: moment("last_attempted_at"),
            finished_at: moment("finished_at"),
        }
    }
}

#[test]
fn the_view_for_people_agrees_with_what_is_found() {
    conformance::run::<SqliteFile, _>(|store| async move {
        let backend: &SqliteBackend = store.backend().as_any().downcast_ref().expect("it is SQLite");
        let mut connection = outside(backend.path()).await;
        let tasks = store.one_of_each_state("a queue").await;
        for (status, id) in &tasks {
            let found = backend
                .find(*id)
                .await
                .expect("it can be read")
                .expect("it is there");
            assert_eq!(found.status, *status);
            assert_eq!(Seen::in_view(&mut connection, *id).await, Seen::of(&found));
        }
        let rows = number(&mut connection, "SELECT count(*) FROM tasks").await;
        assert_eq!(usize::try_from(rows).expect("few"), tasks.len());
        connection.close().await.expect("it can be closed");
    });
}

#[tokio::test]
async fn a_store_that_survives_power_loss_works_like_any_other() {
    let (_folder, path) = place();
    let options = SqliteOptions::new(&path).synchronous(Synchronous::Full);
    let store = SqliteBackend::open(options)
        .await
        .expect("the file can be opened");
    let backend: Arc<dyn TaskBackend> = Arc::new(store);
    let backends = Backends::single(backend.clone());
    let mut result = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    worker
        .finish(vec![succeeded(worker.claim_one().await, "\"done\"")])
        .await;
    assert_eq!(result.wait(PATIENCE).await.expect("it was successful"), "done");
    backend.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_outside_only_delays_an_enqueue_and_no_reader() {
    let (_folder, path) = place();
    let store = Arc::new(opened(&path).await);
    let first = task(&store).await;
    let mut connection = outside(&path).await;
    run(&mut connection, "BEGIN IMMEDIATE").await;
    let enqueuing = tokio::spawn({
        let store = store.clone();
        async move { task(&store).await }
    });
    let mut enqueuing = std::pin::pin!(enqueuing);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut enqueuing).await;
    assert!(early.is_err(), "it waits for the lock");
    let found = store.find(first.id).await.expect("readers do not wait");
    assert_eq!(found, Some(first));
    run(&mut connection, "COMMIT").await;
    let second = enqueuing.await.expect("no panic");
    assert!(store.find(second.id).await.expect("it can be read").is_some());
    store.close().await;
}
