//! The PostgreSQL backend: the suite, and what is its own.

use std::sync::Arc;
use std::time::Duration;

use conformance::tasks::echo;
use conformance::{Fixture, Store, conformance};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use task_backends::{DummyBackend, PostgresBackend, PostgresOptions};
use task_core::{BackendAlias, Clock, Limits, NewTask, TaskBackend, TaskId, TaskRecord, Timestamp};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[path = "postgres/opening.rs"]
mod opening;
#[path = "postgres/server.rs"]
mod server;
#[path = "postgres/transaction.rs"]
mod transaction;
#[path = "postgres/unheard.rs"]
mod unheard;

struct PostgresSchema;

impl Fixture for PostgresSchema {
    async fn fresh() -> Store {
        let place = Place::new();
        let clock = Clock::manual(Timestamp::from_second(2_000_000_000).expect("in range"));
        let options = place.options().clock(clock.clone());
        let open = move || {
            let options = options.clone();
            async {
                PostgresBackend::open(options)
                    .await
                    .expect("the schema can be opened")
            }
        };
        Store::opened_by(open).await.with_clock(clock).keeping(place)
    }
}

conformance!(PostgresSchema: producer, keeper, worker, operator, durable);

/// The same behind a pooler: no notifications, nothing prepared.
mod without_a_session {
    use super::*;

    struct Pooled;

    impl Fixture for Pooled {
        async fn fresh() -> Store {
            let place = Place::new();
            let clock = Clock::manual(Timestamp::from_second(2_000_000_000).expect("in range"));
            let options = place.options().notify(false).clock(clock.clone());
            let open = move || {
                let options = options.clone();
                async {
                    PostgresBackend::open(options)
                        .await
                        .expect("the schema can be opened")
                }
            };
            Store::opened_by(open).await.with_clock(clock).keeping(place)
        }
    }

    conformance!(Pooled: producer, keeper, worker, operator, durable);
}

/// The server that is there for tests.
fn url() -> String {
    std::env::var("TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("TEST_POSTGRES_URL names no server; `cargo xtask test` starts one and names it")
    })
}

/// A schema that no other test uses, removed in the end.
struct Place {
    schema: String,
}

impl Place {
    fn new() -> Self {
        Self {
            schema: format!("test_{}", uuid::Uuid::now_v7().simple()),
        }
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&url())
            .and_then(|options| options.schema(&*self.schema))
            .expect("the url is one of PostgreSQL")
    }

    async fn open(&self) -> task_core::Result<PostgresBackend> {
        PostgresBackend::open(self.options()).await
    }

    async fn opened(&self) -> PostgresBackend {
        self.open().await.expect("the schema can be opened")
    }

    /// A connection that does not go through the backend, inside the schema.
    async fn outside(&self) -> Outside {
        let mut connection = PgConnection::connect(&url()).await.expect("the server is there");
        let path = format!("SET search_path TO \"{}\", public", self.schema);
        connection
            .execute(AssertSqlSafe(path))
            .await
            .expect("it can be set");
        Outside(connection)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let drop = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.schema);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let connected = PgConnection::connect(&url()).await;
                // When it fails, the server is gone, and the schema with it.
                if let Ok(mut connection) = connected {
                    let _ = connection.execute(AssertSqlSafe(drop)).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

struct Outside(PgConnection);

impl Outside {
    async fn run(&mut self, sql: &'static str) {
        let ran = self.0.execute(sql).await;
        ran.expect("the statement is right");
    }

    async fn number(&mut self, sql: &'static str) -> i64 {
        let number = sqlx::query_scalar(sql).fetch_one(&mut self.0).await;
        number.expect("the query is right")
    }
}

/// Enqueues one task.
async fn task(store: &PostgresBackend) -> TaskRecord {
    store.enqueue(vec![new_task()]).await.expect("accepted").remove(0)
}

fn new_task() -> NewTask {
    let alias = BackendAlias::new("a", Arc::new(DummyBackend::new()), [], Limits::DEFAULT);
    echo::new("x").prepare(&alias).expect("a task like any other")
}

/// A row of the view `tasks`, times cut to milliseconds.
#[derive(Debug, PartialEq)]
struct Seen {
    id: uuid::Uuid,
    name: String,
    queue: String,
    status: String,
    priority: i64,
    arguments: String,
    return_value: Option<String>,
    attempts: i64,
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
            id: uuid::Uuid::from_bytes(*record.id.as_bytes()),
            name: record.name.to_string(),
            queue: record.queue.to_string(),
            status: record.status.to_string(),
            priority: i64::from(record.priority),
            arguments: record.arguments.to_string(),
            return_value: record.return_value.clone(),
            attempts: i64::from(record.attempts),
            last_error: record.errors.last().map(|error| error.failure.message.clone()),
            enqueued_at: record.enqueued_at.as_millisecond(),
            last_attempted_at: attempted.map(Timestamp::as_millisecond),
            finished_at: record.finished_at.map(Timestamp::as_millisecond),
        }
    }

    async fn in_view(connection: &mut Outside, id: TaskId) -> Self {
        let query = "SELECT *, floor(extract(epoch FROM enqueued_at) * 1000)::bigint AS enqueued, \
             floor(extract(epoch FROM last_attempted_at) * 1000)::bigint AS attempted, \
             floor(extract(epoch FROM finished_at) * 1000)::bigint AS finished FROM tasks WHERE id = $1";
        let row = sqlx::query(query).bind(uuid::Uuid::from_bytes(*id.as_bytes()));
        let row = row
            .fetch_one(&mut connection.0)
            .await
            .expect("the view has every task");
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
            enqueued_at: row.get("enqueued"),
            last_attempted_at: row.get("attempted"),
            finished_at: row.get("finished"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_for_people_agrees_with_what_is_found() {
    let place = Place::new();
    let store = Store::new(place.opened().await);
    let mut connection = place.outside().await;
    let tasks = store.one_of_each_state("a queue").await;
    for (status, id) in &tasks {
        let found = store.backend().find(*id).await.expect("it can be read");
        let found = found.expect("it is there");
        assert_eq!(found.status, *status);
        assert_eq!(Seen::in_view(&mut connection, *id).await, Seen::of(&found));
    }
    let rows = connection.number("SELECT count(*) FROM tasks").await;
    assert_eq!(usize::try_from(rows).expect("few"), tasks.len());
    store.backend().close().await;
}
