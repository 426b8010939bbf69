//! The SQLite backend: the suite, and what is its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conformance::played_worker::{PlayedWorker, succeeded};
use conformance::tasks::echo;
use conformance::{Fixture, Store, conformance};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use task_backends::{SqliteBackend, SqliteOptions, Synchronous};
use task_core::{Backends, TaskBackend};
use tempfile::TempDir;

mod servers;

use servers::{PATIENCE, sqlite as place, task};

#[path = "sqlite/load.rs"]
mod load;
#[path = "sqlite/opening.rs"]
mod opening;
#[path = "servers/cases/transaction.rs"]
mod transaction;
#[path = "servers/cases/view.rs"]
mod view;

struct SqliteFile;

impl Fixture for SqliteFile {
    async fn fresh() -> Store {
        Arc::new(place::Place::new().await).store().await
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
    let first = task(&*store).await;
    let mut connection = outside(&path).await;
    run(&mut connection, "BEGIN IMMEDIATE").await;
    let enqueuing = tokio::spawn({
        let store = store.clone();
        async move { task(&*store).await }
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
