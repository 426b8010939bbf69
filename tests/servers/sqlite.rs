//! SQLite: a file of a test's own. No server, but the same face.

use std::path::PathBuf;
use std::sync::Arc;

use conformance::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};
use task_backends::{ImmediateBackend, SqliteBackend, SqliteOptions};
use task_core::{TaskBackend, TaskId};
use tempfile::TempDir;

use super::{PATIENCE, Seen, manual_clock};

/// The driver's connection.
pub type Connection = sqlx::SqliteConnection;

/// The kind of backend in settings.
pub const KIND: &str = "sqlite";
/// What messages call it.
pub const DATABASE: &str = "SQLite";

/// A file that no other test uses, removed in the end.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("tasks.db")
    }

    /// The url and the options of settings.
    pub fn settings(&self) -> String {
        format!("url = \"sqlite://{}\"\n", self.path().display())
    }

    pub async fn opened(&self) -> SqliteBackend {
        let opened = SqliteBackend::open(SqliteOptions::new(self.path())).await;
        opened.expect("the file can be opened")
    }

    /// A store for a case of the suite.
    pub async fn store(self: Arc<Self>) -> Store {
        let clock = manual_clock();
        let options = SqliteOptions::new(self.path()).clock(clock.clone());
        let open = move || {
            let opening = SqliteBackend::open(options.clone());
            async { opening.await.expect("the file can be opened") }
        };
        Store::opened_by(open).await.with_clock(clock).keeping(self)
    }

    /// A connection that does not go through the backend.
    pub async fn outside(&self) -> Outside {
        let options = SqliteConnectOptions::new()
            .filename(self.path())
            .create_if_missing(true)
            .busy_timeout(PATIENCE);
        Outside(options.connect().await.expect("SQLite opens it"))
    }
}

/// Looks and writes past the backend.
pub struct Outside(pub Connection);

impl Outside {
    /// Runs a script.
    pub async fn run(&mut self, sql: impl Into<String>) {
        let script = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        script
            .execute(&mut self.0)
            .await
            .expect("the statements are right");
    }

    /// The one number of a query.
    pub async fn number(&mut self, sql: impl Into<String>) -> i64 {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.into()));
        query.fetch_one(&mut self.0).await.expect("the query is right")
    }

    /// How many rows a query answers.
    pub async fn rows(&mut self, sql: impl Into<String>) -> Result<usize, sqlx::Error> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.into()))
            .fetch_all(&mut self.0)
            .await;
        Ok(rows?.len())
    }

    /// The view's row of a task.
    pub async fn seen(&mut self, id: TaskId) -> Seen {
        let milliseconds =
            |column| format!("CAST(round((julianday({column}) - 2440587.5) * 86400000) AS INTEGER)");
        let [enqueued, due, attempted, finished] =
            ["enqueued_at", "due_at", "last_attempted_at", "finished_at"].map(milliseconds);
        let query = format!(
            "SELECT *, id AS id_text, {enqueued} AS enqueued, {due} AS due, {attempted} AS attempted, \
                 {finished} AS finished FROM tasks WHERE key = ?"
        );
        let row = sqlx::query(AssertSqlSafe(query)).bind(id.as_bytes().to_vec());
        let row = row.fetch_one(&mut self.0).await;
        crate::seen_in!(row.expect("the view has every task"))
    }
}

/// Backends that a transaction of this database is no way into.
pub async fn others() -> Vec<Arc<dyn TaskBackend>> {
    vec![Arc::new(ImmediateBackend::new())]
}
