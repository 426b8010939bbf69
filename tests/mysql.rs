//! The MySQL backend: the suite, and what is its own.

use std::sync::Arc;
use std::time::Duration;

use conformance::tasks::echo;
use conformance::{Fixture, Store, conformance};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, Row as _};
use task_backends::{DummyBackend, MysqlBackend, MysqlOptions};
use task_core::{BackendAlias, Clock, Limits, NewTask, TaskBackend, TaskId, TaskRecord, Timestamp};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[path = "mysql/opening.rs"]
mod opening;
#[path = "mysql/server.rs"]
mod server;
#[path = "mysql/transaction.rs"]
mod transaction;

struct MysqlDatabase;

impl Fixture for MysqlDatabase {
    async fn fresh() -> Store {
        let place = Place::new().await;
        let clock = Clock::manual(Timestamp::from_second(2_000_000_000).expect("in range"));
        let options = place.options().clock(clock.clone());
        let open = move || {
            let options = options.clone();
            async {
                MysqlBackend::open(options)
                    .await
                    .expect("the database can be opened")
            }
        };
        Store::opened_by(open).await.with_clock(clock).keeping(place)
    }
}

conformance!(MysqlDatabase: producer, keeper, worker, operator, durable);

/// The server that is there for tests.
fn url() -> String {
    std::env::var("TEST_MYSQL_URL").unwrap_or_else(|_| {
        panic!("TEST_MYSQL_URL names no server; `cargo xtask test` starts one and names it")
    })
}

/// A database that no other test uses, removed in the end.
struct Place {
    database: String,
}

impl Place {
    async fn new() -> Self {
        let database = format!("test_{}", uuid::Uuid::now_v7().simple());
        let mut server = MySqlConnection::connect(&url())
            .await
            .expect("the server is there");
        server
            .execute(AssertSqlSafe(format!("CREATE DATABASE {database}")))
            .await
            .expect("it can be made");
        Self { database }
    }

    fn url(&self) -> String {
        let server = url();
        let (server, _) = server.rsplit_once('/').expect("the url names a database");
        format!("{server}/{}", self.database)
    }

    fn options(&self) -> MysqlOptions {
        MysqlOptions::new(&self.url()).expect("the url is one of MySQL")
    }

    async fn open(&self) -> task_core::Result<MysqlBackend> {
        MysqlBackend::open(self.options()).await
    }

    async fn opened(&self) -> MysqlBackend {
        self.open().await.expect("the database can be opened")
    }

    /// A connection that does not go through the backend.
    async fn outside(&self) -> Outside {
        let connected = MySqlConnection::connect(&self.url()).await;
        Outside(connected.expect("the server is there"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {}", self.database);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let connected = MySqlConnection::connect(&url()).await;
                // When it fails, the server is gone, and the database with it.
                if let Ok(mut connection) = connected {
                    let _ = connection.execute(AssertSqlSafe(drop)).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

struct Outside(MySqlConnection);

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
async fn task(store: &MysqlBackend) -> TaskRecord {
    store.enqueue(vec![new_task()]).await.expect("accepted").remove(0)
}

fn new_task() -> NewTask {
    let alias = BackendAlias::new("a", Arc::new(DummyBackend::new()), [], Limits::DEFAULT);
    echo::new("x").prepare(&alias).expect("a task like any other")
}

/// A row of the view `tasks`, times cut to milliseconds.
#[derive(Debug, PartialEq)]
struct Seen {
    id: String,
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
            id: record.id.to_string(),
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
        let query = "SELECT *, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', enqueued_at) DIV 1000 AS enqueued, \
             TIMESTAMPDIFF(MICROSECOND, '1970-01-01', last_attempted_at) DIV 1000 AS attempted, \
             TIMESTAMPDIFF(MICROSECOND, '1970-01-01', finished_at) DIV 1000 AS finished FROM tasks WHERE `key` = ?";
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
    let place = Place::new().await;
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
