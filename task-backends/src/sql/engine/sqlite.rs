//! SQLite: an embedded file with one writer at a time.

mod claim;
mod enqueue;
mod error;
mod file;
mod link;
mod schema;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;
use task_core::{ClaimRequest, Clock, Error, ErrorKind, Result, Timestamp};

pub(crate) use error::explain;
pub use file::{SqliteOptions, Synchronous};

use super::{Begin, Engine, Link};
use crate::sql::SqlOptions;
use crate::sql::enqueue::NewRows;
use crate::sql::schema::Migration;
use crate::sql::script::{Conflict, Insert, Statement, values_statements};
use crate::sql::sealed::{Opened, Sealed};
use crate::sql::taken::Taken;
use crate::sql::transaction::Transaction;
use crate::sql::value::Value;
use crate::sql::watch::{Changes, LookEvery, Looker, Watch};
use file::Opener;

/// An SQLite file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    options: SqliteOptions,
    opener: Opener,
    readers: SqlitePool,
}

impl Sqlite {
    pub(crate) fn new(options: SqliteOptions) -> Self {
        let opener = Opener::new(&options);
        Self {
            readers: opener.readers(),
            opener,
            options,
        }
    }
}

impl Sealed for SqliteOptions {
    fn engine(&self) -> Opened {
        // A temporary folder goes with the backend, not with the last thread that worked in it.
        let options = SqliteOptions {
            folder: None,
            ..self.clone()
        };
        Opened(Arc::new(Sqlite::new(options)))
    }
}

impl SqlOptions for SqliteOptions {}

#[async_trait]
impl Engine for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn place(&self) -> String {
        self.options.path.display().to_string()
    }

    fn placed(&self, error: Error) -> Error {
        self.opener.place(error)
    }

    fn clock(&self) -> Option<&Clock> {
        // The machine's clock is the file's.
        Some(&self.options.clock)
    }

    fn is_server(&self) -> bool {
        false
    }

    fn prepare(&self, statement: Statement) -> Statement {
        Statement {
            sql: own_text(statement.sql),
            values: statement.values.into_iter().map(own_value).collect(),
            ..statement
        }
    }

    fn insert(&self, insert: &Insert, values: Vec<Value>) -> Vec<Statement> {
        let into = format!("INSERT INTO {} ({})", insert.table, insert.column_names());
        let conflict = match insert.conflict {
            Conflict::Fails => Cow::Borrowed(""),
            Conflict::Stays(_) => Cow::Borrowed(" ON CONFLICT DO NOTHING"),
            Conflict::Replaces { key, column } => Cow::Owned(format!(
                " ON CONFLICT ({key}) DO UPDATE SET {column} = excluded.{column}"
            )),
        };
        values_statements(&into, &insert.row(), &conflict, insert.columns.len(), values)
    }

    // There is one writer at a time.
    fn locking(&self) -> &'static str {
        ""
    }

    fn locking_what_is_free(&self) -> &'static str {
        ""
    }

    fn time(&self) -> Cow<'static, str> {
        Cow::Borrowed("SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) AS now")
    }

    fn begin(&self) -> Begin {
        // Immediate: a transaction that reads first and writes later could not wait for
        // another writer, it would fail at once.
        Begin::Quietly("BEGIN IMMEDIATE")
    }

    async fn enqueue(&self, rows: NewRows, transaction: &mut Transaction<'_>) -> Result<Timestamp> {
        enqueue::enqueue(rows, transaction).await
    }

    fn enqueues_in_one_statement(&self) -> bool {
        false
    }

    async fn claim(&self, request: &ClaimRequest, transaction: &mut Transaction<'_>) -> Result<Taken> {
        claim::claim(request, transaction).await
    }

    async fn claim_at_once(
        &self,
        _request: &ClaimRequest,
        _transaction: &mut Transaction<'_>,
    ) -> Result<Option<Taken>> {
        Ok(None)
    }

    async fn connect_first(&self) -> Result<Box<dyn Link>> {
        Ok(Box::new(self.opener.connect(true).await?))
    }

    async fn inspect(&self) -> Result<Option<Box<dyn Link>>> {
        if self.options.path.is_dir() {
            return Err(
                Error::new(ErrorKind::Backend, "this is a folder, and the store is a file")
                    .at(self.place())
                    .hint("name a file in that folder in `url`, as in sqlite://data/tasks.db"),
            );
        }
        // An empty file is what SQLite makes of one that is not there.
        if std::fs::metadata(&self.options.path).map_or(true, |file| !file.is_file() || file.len() == 0) {
            return Ok(None);
        }
        Ok(Some(Box::new(self.opener.inspect().await?)))
    }

    async fn connect(&self) -> Result<Box<dyn Link>> {
        Ok(Box::new(self.opener.connect(false).await?))
    }

    async fn read(&self) -> Result<Box<dyn Link>> {
        let begun = self.readers.begin().await;
        Ok(Box::new(begun.map_err(crate::sql::error::from_sqlx)?))
    }

    async fn look(&self, watch: &Watch) -> Result<Option<Looker>> {
        let connection = self.opener.connect(false).await?;
        let looks = Looks {
            connection,
            clock: self.options.clock.clone(),
            seen: 0,
        };
        Ok(Some(watch.poll(LookEvery::fixed(LOOK_EVERY), looks)))
    }

    fn tell(&self, _made_ready: bool) {
        // The others look at the file.
    }

    async fn tell_in(&self, _transaction: &mut Transaction<'_>) -> Result<()> {
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
    }

    fn migrations(&self) -> Vec<Migration> {
        schema::migrations()
    }

    async fn version(&self, link: &mut dyn Link) -> Result<i64> {
        schema::version(link).await
    }

    async fn migrate(&self, link: &mut dyn Link) -> Result<Vec<Migration>> {
        schema::migrate(self, link).await
    }
}

/// A statement's text without marks.
fn own_text(sql: Cow<'static, str>) -> Cow<'static, str> {
    if !sql.contains('@') && !sql.contains("(?*)") {
        return sql;
    }
    let text = sql.replace('@', "");
    Cow::Owned(text.replace("(?*)", "(SELECT value FROM json_each(?))"))
}

fn own_value(value: Value) -> Value {
    match value {
        Value::List(numbers) => Value::Text(Arc::from(list(&numbers))),
        value => value,
    }
}

/// Numbers as a JSON array.
pub(super) fn list(numbers: &[i64]) -> String {
    let mut text = String::with_capacity(numbers.len() * 8 + 2);
    text.push('[');
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&number.to_string());
    }
    text.push(']');
    text
}

/// How often a waiting process looks whether another one wrote. One look is a few
/// microseconds of work; half of this is what a task of another process waits on average.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// SQLite counts the changes of other connections.
struct Looks {
    connection: SqliteConnection,
    clock: Clock,
    seen: i64,
}

#[async_trait]
impl Changes for Looks {
    async fn look(&mut self) -> Result<(bool, bool)> {
        let rows = self.connection.send_raw("PRAGMA data_version".to_owned()).await?;
        let version = rows.first().map_or(Ok(0), |row| row.int("data_version"))?;
        if version == self.seen {
            return Ok((false, false));
        }
        self.seen = version;
        let query =
            "SELECT EXISTS (SELECT 1 FROM ready) OR EXISTS (SELECT 1 FROM scheduled WHERE due <= ?) AS found";
        let now = self.clock.now().as_microsecond();
        let answer = self
            .connection
            .send(vec![Statement::new(query, [now.into()])])
            .await;
        let is_ready = answer.and_then(|answer| match answer.rows.first() {
            Some(row) => row.flag("found"),
            None => Ok(true),
        });
        Ok((true, is_ready.unwrap_or(true)))
    }

    async fn close(self: Box<Self>) {
        // One that does not close cleanly is closed by being dropped.
        let _ = sqlx::Connection::close(self.connection).await;
    }
}
