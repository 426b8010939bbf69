//! MySQL and MariaDB: a database of a test's own.

use std::sync::Arc;

use conformance::Store;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use task_backends::{MysqlBackend, MysqlOptions, SqliteBackend};
use task_core::{TaskBackend, TaskId};

use super::{Seen, manual_clock, name_of_ones_own, server, to_its_end};

/// The backend's type.
pub type Backend = MysqlBackend;
/// How it is opened.
pub type Options = MysqlOptions;
/// The driver's connection.
pub type Connection = sqlx::MySqlConnection;

/// The kind of backend in settings.
pub const KIND: &str = "mysql";
/// What messages call it.
pub const DATABASE: &str = "MySQL";
/// What tasks have to themselves.
pub const UNIT: &str = "database";
/// A server that is not there, with a password.
pub const NOBODY: &str = "mysql://nobody:secret@127.0.0.1:1/none";

/// The server that is there for tests.
pub fn url() -> String {
    server("TEST_MYSQL_URL")
}

/// A database that no other test uses, removed in the end.
pub struct Place {
    server: String,
    pub database: String,
}

impl Place {
    pub async fn new() -> Self {
        let place = Self {
            server: url(),
            database: name_of_ones_own(),
        };
        let connected = Connection::connect(&place.server).await;
        let create = format!("CREATE DATABASE {}", place.database);
        Outside(connected.expect("the server is there")).run(create).await;
        place
    }

    /// What messages name.
    pub fn name(&self) -> &str {
        &self.database
    }

    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("the url names a database");
        format!("{server}/{}", self.database)
    }

    /// The url and the options of settings.
    pub fn settings(&self) -> String {
        format!("url = \"{}\"\n", self.url())
    }

    pub fn options(&self) -> MysqlOptions {
        MysqlOptions::new(&self.url()).expect("the url is one of MySQL")
    }

    pub async fn open(&self) -> task_core::Result<MysqlBackend> {
        MysqlBackend::open(self.options()).await
    }

    pub async fn opened(&self) -> MysqlBackend {
        self.open().await.expect("the database can be opened")
    }

    /// A store for a case of the suite.
    pub async fn store(self: Arc<Self>) -> Store {
        let clock = manual_clock();
        let options = self.options().clock(clock.clone());
        let open = move || {
            let opening = MysqlBackend::open(options.clone());
            async { opening.await.expect("the database can be opened") }
        };
        Store::opened_by(open).await.with_clock(clock).keeping(self)
    }

    /// A connection as a person's shell makes it.
    pub async fn shell(&self) -> Outside {
        self.outside().await
    }

    /// A connection that does not go through the backend.
    pub async fn outside(&self) -> Outside {
        let connected = Connection::connect(&self.url()).await;
        Outside(connected.expect("the server is there"))
    }

    /// How much is there of the place: its tables and views.
    pub async fn made(&self) -> i64 {
        let query = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
        self.outside().await.number(query).await
    }

    /// A table of another program, by the name of one of ours.
    pub async fn use_for_something_else(&self) {
        self.outside().await.run("CREATE TABLE task (note TEXT)").await;
    }

    /// Ends every connection to this place, as an administrator would.
    pub async fn cut(&self) {
        let Outside(mut connection) = self.outside().await;
        let query = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()";
        let ids: Vec<i64> = sqlx::query_scalar(query)
            .fetch_all(&mut connection)
            .await
            .expect("the query is right");
        for id in ids {
            // One that has ended by itself cannot be.
            let _ = connection.execute(AssertSqlSafe(format!("KILL {id}"))).await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {}", self.database);
        let server = self.server.clone();
        to_its_end(async move {
            // When it fails, the server is gone, and the database with it.
            if let Ok(mut connection) = Connection::connect(&server).await {
                let _ = connection.execute(AssertSqlSafe(drop)).await;
            }
        });
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
        let query = "SELECT *, id AS id_text, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', enqueued_at) DIV 1000 AS enqueued, \
             TIMESTAMPDIFF(MICROSECOND, '1970-01-01', due_at) DIV 1000 AS due, \
             TIMESTAMPDIFF(MICROSECOND, '1970-01-01', last_attempted_at) DIV 1000 AS attempted, \
             TIMESTAMPDIFF(MICROSECOND, '1970-01-01', finished_at) DIV 1000 AS finished FROM tasks WHERE `key` = ?";
        let row = sqlx::query(query).bind(uuid::Uuid::from_bytes(*id.as_bytes()));
        let row = row.fetch_one(&mut self.0).await;
        crate::seen_in!(row.expect("the view has every task"))
    }
}

/// Backends that a transaction of this database is no way into.
pub async fn others() -> Vec<Arc<dyn TaskBackend>> {
    vec![Arc::new(
        SqliteBackend::temporary().await.expect("a temporary file"),
    )]
}
