//! PostgreSQL: a schema of a test's own.

use std::sync::Arc;

use conformance::Store;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use task_backends::{PostgresBackend, PostgresOptions, SqliteBackend};
use task_core::{TaskBackend, TaskId};

use super::{Seen, manual_clock, name_of_ones_own, server, to_its_end};

/// The backend's type.
pub type Backend = PostgresBackend;
/// How it is opened.
pub type Options = PostgresOptions;
/// The driver's connection.
pub type Connection = sqlx::PgConnection;

/// The kind of backend in settings.
pub const KIND: &str = "postgres";
/// What messages call it.
pub const DATABASE: &str = "PostgreSQL";
/// What tasks have to themselves.
pub const UNIT: &str = "schema";
/// A server that is not there, with a password.
pub const NOBODY: &str = "postgres://nobody:secret@127.0.0.1:1/none";

/// The server that is there for tests.
pub fn url() -> String {
    server("TEST_POSTGRES_URL")
}

/// A schema that no other test uses, removed in the end.
pub struct Place {
    server: String,
    pub schema: String,
}

impl Place {
    pub async fn new() -> Self {
        Self::on(url())
    }

    /// One on this server.
    pub fn on(server: String) -> Self {
        let schema = name_of_ones_own();
        Self { server, schema }
    }

    /// What messages name.
    pub fn name(&self) -> &str {
        &self.schema
    }

    /// The url and the options of settings.
    pub fn settings(&self) -> String {
        let Self { server, schema } = self;
        format!("url = \"{server}\"\noptions = {{ schema = \"{schema}\" }}\n")
    }

    pub fn options(&self) -> PostgresOptions {
        self.options_at(&self.server)
    }

    /// The same schema, reached another way.
    pub fn options_at(&self, url: &str) -> PostgresOptions {
        PostgresOptions::new(url)
            .and_then(|options| options.schema(&*self.schema))
            .expect("the url is one of PostgreSQL")
    }

    pub async fn open(&self) -> task_core::Result<PostgresBackend> {
        PostgresBackend::open(self.options()).await
    }

    pub async fn opened(&self) -> PostgresBackend {
        self.open().await.expect("the schema can be opened")
    }

    /// A store for a case of the suite.
    pub async fn store(self: Arc<Self>) -> Store {
        let options = self.options();
        self.store_with(options).await
    }

    /// The same, opened in this way.
    pub async fn store_with(self: Arc<Self>, options: PostgresOptions) -> Store {
        let clock = manual_clock();
        let options = options.clock(clock.clone());
        let open = move || {
            let opening = PostgresBackend::open(options.clone());
            async { opening.await.expect("the schema can be opened") }
        };
        Store::opened_by(open).await.with_clock(clock).keeping(self)
    }

    /// A connection as a person's shell makes it.
    pub async fn shell(&self) -> Outside {
        let connected = Connection::connect(&self.server).await;
        Outside(connected.expect("the server is there"))
    }

    /// A connection that does not go through the backend, inside the schema.
    pub async fn outside(&self) -> Outside {
        let Outside(mut connection) = self.shell().await;
        let path = format!("SET search_path TO \"{}\", public", self.schema);
        connection
            .execute(AssertSqlSafe(path))
            .await
            .expect("it can be set");
        Outside(connection)
    }

    /// How much is there of the place: the schema, and what is in it.
    pub async fn made(&self) -> i64 {
        let schema = &self.schema;
        let query = format!(
            "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}') + (SELECT count(*) \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = '{schema}')"
        );
        self.outside().await.number(query).await
    }

    /// A table of another program, by the name of one of ours.
    pub async fn use_for_something_else(&self) {
        let schema = &self.schema;
        let create = format!("CREATE SCHEMA \"{schema}\"; CREATE TABLE \"{schema}\".task (note text)");
        self.outside().await.run(create).await;
    }

    /// Ends every connection of backends to this place, as an administrator would.
    pub async fn cut(&self) {
        // Who has no statement on the schema's tables any more waits for the next one.
        let query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND (query LIKE '%' || current_schema() || '%' \
                 OR pid IN (SELECT pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                     WHERE c.relnamespace = current_schema()::regnamespace))";
        self.outside().await.run(query).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let drop = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.schema);
        let server = self.server.clone();
        to_its_end(async move {
            // When it fails, the server is gone, and the schema with it.
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
        let query = "SELECT *, id::text AS id_text, floor(extract(epoch FROM enqueued_at) * 1000)::bigint AS enqueued, \
             floor(extract(epoch FROM due_at) * 1000)::bigint AS due, \
             floor(extract(epoch FROM last_attempted_at) * 1000)::bigint AS attempted, \
             floor(extract(epoch FROM finished_at) * 1000)::bigint AS finished FROM tasks WHERE id = $1";
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
