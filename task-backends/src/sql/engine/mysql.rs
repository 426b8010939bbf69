//! MySQL and MariaDB: servers whose transactions run at the same time.
//!
//! Nothing notifies here: a process that waits looks again and again. Lists are written out,
//! in few lengths, because the optimizers of both know what to do with that.

mod claim;
mod enqueue;
mod error;
mod link;
mod options;
mod schema;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection};
use task_core::{ClaimRequest, Clock, Error, ErrorKind, Result, Timestamp};

pub(crate) use error::explain;
pub use options::MysqlOptions;

use super::server::{self, CONNECT_WITHIN, READER_IDLES, READERS, still_answers};
use super::{Begin, Engine, Link};
use crate::sql::SqlOptions;
use crate::sql::enqueue::NewRows;
use crate::sql::error::from_sqlx;
use crate::sql::schema::Migration;
use crate::sql::script::{Conflict, Insert, Statement, values_statements};
use crate::sql::sealed::{Opened, Sealed};
use crate::sql::taken::Taken;
use crate::sql::transaction::{Transaction, read_time};
use crate::sql::value::Value;
use crate::sql::watch::{Changes, LookEvery, Looker, Watch};

/// The most bytes of one statement: servers refuse what is above `max_allowed_packet`, 16 MiB
/// on MariaDB and 64 MiB on MySQL if nobody set it.
const MAX_STATEMENT_BYTES: usize = 4 << 20;

/// What waiting processes do.
const LOOK_OFTEN: Duration = Duration::from_millis(10);
const LOOK_SELDOM: Duration = Duration::from_millis(250);

/// The database's time in microseconds since 1970.
const NOW: &str = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS now";

/// A MySQL or MariaDB database.
#[derive(Debug)]
pub(crate) struct Mysql {
    options: MysqlOptions,
    readers: MySqlPool,
}

impl Sealed for MysqlOptions {
    fn engine(&self) -> Opened {
        Opened(Arc::new(Mysql::new(self.clone())))
    }
}

impl SqlOptions for MysqlOptions {}

impl Mysql {
    fn new(options: MysqlOptions) -> Self {
        let readers = MySqlPoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .idle_timeout(READER_IDLES)
            .acquire_timeout(CONNECT_WITHIN)
            // A reader begins a transaction anyway, and takes another one if that fails.
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(still_answers(connection)))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    let setting = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
                    connection.execute(setting).await.map(drop)
                })
            })
            .connect_lazy_with(options.connect.clone());
        Self { options, readers }
    }

    async fn open(&self) -> Result<MySqlConnection> {
        let opening = async {
            let mut connection = MySqlConnection::connect_with(&self.options.connect).await?;
            for setting in [
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                // Whose process stands still, or cannot be reached any more, holds no rows for ever. MySQL has
                // nothing like it, and takes this for a comment.
                "SET SESSION innodb_lock_wait_timeout = 10 /*M! , idle_transaction_timeout = 15 */",
            ] {
                connection.execute(setting).await?;
            }
            Ok(connection)
        };
        match tokio::time::timeout(CONNECT_WITHIN, opening).await {
            Ok(opened) => opened.map_err(|error| self.placed(from_sqlx(error))),
            Err(_) => Err(self.placed(
                Error::new(ErrorKind::Unavailable, "the server does not answer")
                    .hint("is the way to it open? It is tried again by itself"),
            )),
        }
    }

    fn text(&self, sql: &str) -> String {
        let sql = sql.replace('"', "`");
        sql.replace('@', &format!("`{}`.", self.options.database))
            // Two of them are the server's own variables.
            .replace(&format!("`{0}`.`{0}`.", self.options.database), "@@")
    }
}

#[async_trait]
impl Engine for Mysql {
    fn kind(&self) -> &'static str {
        "mysql"
    }

    fn place(&self) -> String {
        self.options.place()
    }

    fn placed(&self, error: Error) -> Error {
        error.at(self.place())
    }

    fn clock(&self) -> Option<&Clock> {
        self.options.clock.as_ref()
    }

    fn is_server(&self) -> bool {
        true
    }

    fn prepare(&self, statement: Statement) -> Statement {
        let mut sql = self.text(&statement.sql);
        let mut values = Vec::with_capacity(statement.values.len());
        for value in statement.values {
            match value {
                Value::List(numbers) => {
                    let numbers = padded(numbers);
                    let marks = vec!["?"; numbers.len()].join(",");
                    sql = sql.replacen("(?*)", &format!("({marks})"), 1);
                    values.extend(numbers);
                }
                value => values.push(value),
            }
        }
        Statement {
            sql: Cow::Owned(sql),
            values,
            ..statement
        }
    }

    fn insert(&self, insert: &Insert, values: Vec<Value>) -> Vec<Statement> {
        let into = self.text(&format!(
            "INSERT INTO @{} ({})",
            insert.table,
            insert.column_names()
        ));
        let conflict = match insert.conflict {
            Conflict::Fails => String::new(),
            Conflict::Stays(column) => format!(" ON DUPLICATE KEY UPDATE {column} = {column}"),
            Conflict::Replaces { column, .. } => {
                format!(" ON DUPLICATE KEY UPDATE {column} = VALUES({column})")
            }
        };
        let width = insert.columns.len();
        let mut statements = Vec::new();
        let (mut bytes, mut part) = (0, Vec::new());
        let mut values = values.into_iter();
        loop {
            let row: Vec<Value> = values.by_ref().take(width).collect();
            let size: usize = row.iter().map(size).sum();
            if !part.is_empty() && (row.is_empty() || bytes + size > MAX_STATEMENT_BYTES) {
                let full = std::mem::take(&mut part);
                statements.extend(values_statements(&into, &insert.row(), &conflict, width, full));
                bytes = 0;
            }
            if row.is_empty() {
                return statements;
            }
            bytes += size;
            part.extend(row);
        }
    }

    fn locking(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn locking_what_is_free(&self) -> &'static str {
        " FOR UPDATE SKIP LOCKED"
    }

    fn time(&self) -> Cow<'static, str> {
        Cow::Borrowed(NOW)
    }

    fn begin(&self) -> Begin {
        Begin::WithTime(format!("START TRANSACTION; {NOW}"))
    }

    async fn enqueue(&self, rows: NewRows, transaction: &mut Transaction<'_>) -> Result<Timestamp> {
        enqueue::enqueue(self, rows, transaction).await
    }

    fn enqueues_in_one_statement(&self) -> bool {
        false
    }

    async fn claim(&self, request: &ClaimRequest, transaction: &mut Transaction<'_>) -> Result<Taken> {
        server::claim(&claim::MysqlTaking, request, transaction).await
    }

    async fn claim_at_once(
        &self,
        _request: &ClaimRequest,
        _transaction: &mut Transaction<'_>,
    ) -> Result<Option<Taken>> {
        Ok(None)
    }

    async fn connect_first(&self) -> Result<Box<dyn Link>> {
        self.connect().await
    }

    async fn inspect(&self) -> Result<Option<Box<dyn Link>>> {
        self.connect().await.map(Some)
    }

    async fn connect(&self) -> Result<Box<dyn Link>> {
        Ok(Box::new(self.open().await?))
    }

    async fn read(&self) -> Result<Box<dyn Link>> {
        let mut tries = READERS + 1;
        loop {
            let begin = AssertSqlSafe("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
            match self.readers.begin_with(begin).await.map_err(from_sqlx) {
                Ok(reading) => return Ok(Box::new(reading)),
                // One that was kept may have died since; the next one may be a fresh one.
                Err(error) if error.is_retryable() && tries > 0 && self.readers.size() > 0 => tries -= 1,
                Err(error) => return Err(self.placed(error)),
            }
        }
    }

    async fn look(&self, watch: &Watch) -> Result<Option<Looker>> {
        let query = self.text(ANYTHING_READY);
        let looks = Looks(self.readers.clone(), query, self.options.clock.clone());
        Ok(Some(
            watch.poll(LookEvery::between(LOOK_OFTEN, LOOK_SELDOM), looks),
        ))
    }

    fn tell(&self, _made_ready: bool) {
        // The others look.
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
        schema::version(&self.options.database, link).await
    }

    async fn migrate(&self, link: &mut dyn Link) -> Result<Vec<Migration>> {
        schema::migrate(self, &self.options.database, link).await
    }
}

/// A list made longer by its last number, so that there are few lengths and each text is
/// prepared once.
fn padded(mut numbers: Vec<i64>) -> Vec<Value> {
    let Some(last) = numbers.last().copied() else {
        return vec![Value::Null];
    };
    numbers.resize(numbers.len().next_power_of_two(), last);
    numbers.into_iter().map(Value::Int).collect()
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len() + 9,
        _ => 17,
    }
}

const ANYTHING_READY: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM @ready) \
     OR EXISTS (SELECT 1 FROM @scheduled WHERE due <= ?) THEN 1 ELSE 0 END AS ready";

/// Anything may have changed since the last look.
struct Looks(MySqlPool, String, Option<Clock>);

#[async_trait]
impl Changes for Looks {
    async fn look(&mut self) -> Result<(bool, bool)> {
        let begin = AssertSqlSafe("START TRANSACTION READ ONLY");
        let mut reading = self.0.begin_with(begin).await.map_err(from_sqlx)?;
        let now = match &self.2 {
            Some(clock) => clock.now().as_microsecond(),
            None => read_time(&reading.send_raw(NOW.to_owned()).await?)?,
        };
        let statement = Statement::new(self.1.clone(), [now.into()]);
        let answer = Link::send(&mut reading, vec![statement]).await?;
        let ready = answer.rows.first().map_or(Ok(true), |row| row.flag("ready"))?;
        Ok((true, ready))
    }

    async fn close(self: Box<Self>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn marks_become_qualified_names_and_lists_of_few_lengths() {
        let engine = Mysql::new(MysqlOptions::new("mysql://a@localhost/b").expect("well-formed"));
        let sql = "SELECT \"rank\", @@version FROM @task WHERE seq IN (?*) AND due < ? AND lane IN (?*)";
        let statement = engine.prepare(Statement::new(
            sql,
            [vec![1, 2, 3].into(), 7_i64.into(), Vec::<i64>::new().into()],
        ));
        assert_eq!(
            statement.sql,
            "SELECT `rank`, @@version FROM `b`.task WHERE seq IN (?,?,?,?) AND due < ? AND lane IN (?)"
        );
        let values = [1, 2, 3, 3, 7].map(Value::Int).into_iter().chain([Value::Null]);
        assert_eq!(statement.values, values.collect::<Vec<_>>());
    }
}
