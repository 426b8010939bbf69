//! PostgreSQL: a server whose transactions run at the same time.
//!
//! Behind a pooler that gives each transaction another connection there is no session to
//! keep anything in. With [`PostgresOptions::notify`] off nothing is kept there: settings are
//! made inside each transaction, nothing listens, no statement stays prepared, and every
//! statement stands in a transaction. Names carry their schema in any case.

mod claim;
mod enqueue;
mod error;
mod link;
mod notify;
mod options;
mod schema;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use task_core::{ClaimRequest, Clock, Error, ErrorKind, Result, Timestamp};

pub(crate) use error::explain;
pub use options::PostgresOptions;

use super::server::{self, CONNECT_WITHIN, READER_IDLES, READERS, still_answers};
use super::{Begin, Engine, Link};
use crate::sql::SqlOptions;
use crate::sql::enqueue::NewRows;
use crate::sql::error::from_sqlx;
use crate::sql::schema::Migration;
use crate::sql::script::{Conflict, Insert, Kind, Statement, Way};
use crate::sql::sealed::{Opened, Sealed};
use crate::sql::taken::Taken;
use crate::sql::transaction::Transaction;
use crate::sql::value::{Column, Row, Value};
use crate::sql::watch::{Changes, LookEvery, Looker, Watch};
use notify::Notifier;

/// A schema of a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct Postgres {
    options: PostgresOptions,
    readers: PgPool,
    notifier: Option<Notifier>,
}

impl Sealed for PostgresOptions {
    fn engine(&self) -> Opened {
        Opened(Arc::new(Postgres::new(self.clone())))
    }
}

impl SqlOptions for PostgresOptions {}

/// What holds for a connection that writes, or behind a pooler for each transaction.
///
/// The plans that are meant hold for any number of rows; statistics of tables that are
/// empty in one moment and full in the next would only lead away from them.
const SETTINGS: [(&str, &str); 9] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("lock_timeout", "10s"),
    ("statement_timeout", "25s"),
    // Whose process stands still, or cannot be reached any more, holds no rows for ever.
    ("idle_in_transaction_session_timeout", "15s"),
];

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT ";

/// Sets them all, for a transaction or for as long as the connection lives.
fn settings(in_transaction: bool) -> String {
    let set = |(name, value)| format!("set_config('{name}', '{value}', {in_transaction})");
    SETTINGS.map(set).join(", ")
}

/// The database's time in microseconds since 1970.
const NOW: &str = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";

/// What waiting processes do without notifications.
const LOOK_OFTEN: Duration = Duration::from_millis(20);
const LOOK_SELDOM: Duration = Duration::from_millis(500);

impl Postgres {
    fn new(options: PostgresOptions) -> Self {
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .idle_timeout(READER_IDLES)
            .acquire_timeout(CONNECT_WITHIN)
            // A reader begins a transaction anyway, and takes another one if that fails.
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(still_answers(connection)))
            .connect_lazy_with(options.connect.clone());
        let notifier = options
            .notify
            .then(|| Notifier::new(readers.clone(), options.channel()));
        Self {
            options,
            readers,
            notifier,
        }
    }

    async fn open(&self) -> Result<PgConnection> {
        let opening = async {
            let mut connection = PgConnection::connect_with(&self.options.connect).await?;
            if self.options.notify {
                let committed = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";
                let settings = format!("{committed}; SELECT {}", settings(false));
                connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
            }
            Ok(connection)
        };
        let place = |error: Error| error.at(self.place());
        match tokio::time::timeout(CONNECT_WITHIN, opening).await {
            Ok(opened) => opened.map_err(|error| place(from_sqlx(error))),
            Err(_) => Err(place(
                Error::new(ErrorKind::Unavailable, "the server does not answer")
                    .hint("is the way to it open? It is tried again by itself"),
            )),
        }
    }

    /// The text with numbered values and qualified names.
    fn text(&self, sql: &str) -> String {
        let mut text = String::with_capacity(sql.len() + 64);
        let mut number = 0;
        let mut rest = sql;
        while let Some(at) = rest.find(['?', '@', '(']) {
            text.push_str(&rest[..at]);
            let mark = &rest[at..];
            if let Some(after) = mark.strip_prefix("(?*)") {
                // `seq IN (?*)` becomes `seq = ANY ($1)`.
                if text.ends_with("IN ") {
                    text.truncate(text.len() - 3);
                }
                number += 1;
                text.push_str(&format!("= ANY (${number})"));
                rest = after;
            } else if let Some(after) = mark.strip_prefix('?') {
                number += 1;
                text.push_str(&format!("${number}"));
                rest = after;
            } else if let Some(after) = mark.strip_prefix('@') {
                text.push('"');
                text.push_str(&self.options.schema);
                text.push_str("\".");
                rest = after;
            } else {
                text.push('(');
                rest = &mark[1..];
            }
        }
        text.push_str(rest);
        text
    }
}

#[async_trait]
impl Engine for Postgres {
    fn kind(&self) -> &'static str {
        "postgres"
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
        let way = match statement.way {
            Way::Kept if !self.options.notify => Way::Once,
            way => way,
        };
        Statement {
            sql: Cow::Owned(self.text(&statement.sql)),
            way,
            ..statement
        }
    }

    fn insert(&self, insert: &Insert, values: Vec<Value>) -> Vec<Statement> {
        let types: Vec<&str> = insert
            .columns
            .iter()
            .map(|(_, kind)| match kind {
                Kind::Int => "CAST(? AS bigint[])",
                Kind::Text => "CAST(? AS text[])",
            })
            .collect();
        let conflict = match insert.conflict {
            Conflict::Fails => String::new(),
            Conflict::Stays(_) => " ON CONFLICT DO NOTHING".to_owned(),
            Conflict::Replaces { key, column } => {
                format!(" ON CONFLICT ({key}) DO UPDATE SET {column} = excluded.{column}")
            }
        };
        let constants: String = insert
            .constants
            .iter()
            .map(|(_, value)| format!(", {value}"))
            .collect();
        let sql = format!(
            "INSERT INTO @{} ({}) SELECT *{constants} FROM unnest({}) AS n{conflict}",
            insert.table,
            insert.column_names(),
            types.join(", "),
        );
        let kinds: Vec<Kind> = insert.columns.iter().map(|(_, kind)| *kind).collect();
        vec![self.prepare(Statement::new(sql, columns(&kinds, values)))]
    }

    fn locking(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn locking_what_is_free(&self) -> &'static str {
        " FOR UPDATE SKIP LOCKED"
    }

    fn time(&self) -> Cow<'static, str> {
        Cow::Owned(format!("SELECT {NOW} AS now"))
    }

    fn begin(&self) -> Begin {
        Begin::WithTime(if self.options.notify {
            format!("{BEGIN}{NOW} AS now")
        } else {
            format!("{BEGIN}{}, {NOW} AS now", settings(true))
        })
    }

    async fn enqueue(&self, rows: NewRows, transaction: &mut Transaction<'_>) -> Result<Timestamp> {
        enqueue::enqueue(self.clock(), rows, transaction).await
    }

    fn enqueues_in_one_statement(&self) -> bool {
        // Preparing and running are two trips, which a pooler may send to two servers.
        self.options.notify
    }

    async fn claim(&self, request: &ClaimRequest, transaction: &mut Transaction<'_>) -> Result<Taken> {
        server::claim(&claim::PostgresTaking, request, transaction).await
    }

    async fn claim_at_once(
        &self,
        request: &ClaimRequest,
        transaction: &mut Transaction<'_>,
    ) -> Result<Option<Taken>> {
        if !self.options.notify {
            return Ok(None);
        }
        let clock = self.clock().map(|clock| clock.now().as_microsecond());
        claim::at_once(clock, request, transaction).await
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
            let begin = AssertSqlSafe("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
            match self.readers.begin_with(begin).await.map_err(from_sqlx) {
                Ok(reading) => return Ok(Box::new(reading)),
                // One that was kept may have died since; the next one may be a fresh one.
                Err(error) if error.is_retryable() && tries > 0 && self.readers.size() > 0 => tries -= 1,
                Err(error) => return Err(error.at(self.place())),
            }
        }
    }

    async fn look(&self, watch: &Watch) -> Result<Option<Looker>> {
        let Some(notifier) = &self.notifier else {
            let looks = Looks(
                self.readers.clone(),
                self.text(ANYTHING_READY),
                self.options.clock.clone(),
            );
            let every = LookEvery::between(LOOK_OFTEN, LOOK_SELDOM);
            return Ok(Some(watch.poll(every, looks)));
        };
        notifier.start();
        Ok(Some(notify::listen(
            watch.clone(),
            self.options.connect.clone(),
            self.options.channel(),
            notifier.own_name(),
        )))
    }

    fn tell(&self, made_ready: bool) {
        if let Some(notifier) = &self.notifier {
            notifier.tell(made_ready);
        }
    }

    async fn tell_in(&self, transaction: &mut Transaction<'_>) -> Result<()> {
        if self.notifier.is_some() {
            let message = notify::message("a transaction", true);
            let channel = self.options.channel();
            transaction
                .fetch("SELECT pg_notify(?, ?)", [channel.into(), message.into()])
                .await?;
        }
        Ok(())
    }

    async fn close(&self) {
        if let Some(notifier) = &self.notifier {
            notifier.close().await;
        }
        self.readers.close().await;
    }

    fn migrations(&self) -> Vec<Migration> {
        schema::migrations(&self.options.schema)
    }

    async fn version(&self, link: &mut dyn Link) -> Result<i64> {
        schema::version(&self.options.schema, link).await
    }

    async fn migrate(&self, link: &mut dyn Link) -> Result<Vec<Migration>> {
        schema::migrate(self, &self.options.schema, link).await
    }
}

/// Rows turned into columns.
fn columns(kinds: &[Kind], values: Vec<Value>) -> Vec<Value> {
    let rows = values.len() / kinds.len().max(1);
    let mut columns: Vec<Column> = kinds
        .iter()
        .map(|kind| match kind {
            Kind::Int => Column::Ints(Vec::with_capacity(rows)),
            Kind::Text => Column::Texts(Vec::with_capacity(rows)),
        })
        .collect();
    for (index, value) in values.into_iter().enumerate() {
        match (&mut columns[index % kinds.len()], value) {
            (Column::Ints(column), Value::Int(number)) => column.push(Some(number)),
            (Column::Texts(column), Value::Text(text)) => column.push(Some(text)),
            (Column::Ints(column), _) => column.push(None),
            (Column::Texts(column), _) => column.push(None),
            (Column::Ids(_), _) => {}
        }
    }
    columns.into_iter().map(Value::Column).collect()
}

/// Looks without notifications; anything may have changed since the last one.
struct Looks(PgPool, String, Option<Clock>);

const ANYTHING_READY: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM @ready) \
     OR EXISTS (SELECT 1 FROM @scheduled WHERE due <= ?) THEN 1 ELSE 0 END AS ready";

#[async_trait]
impl Changes for Looks {
    async fn look(&mut self) -> Result<(bool, bool)> {
        let begin = AssertSqlSafe("BEGIN READ ONLY");
        let mut reading = self.0.begin_with(begin).await.map_err(from_sqlx)?;
        let now = match &self.2 {
            Some(clock) => clock.now().as_microsecond(),
            None => {
                let rows: Vec<Row> = reading.send_raw(format!("SELECT {NOW} AS now")).await?;
                crate::sql::transaction::read_time(&rows)?
            }
        };
        let statement = Statement {
            way: Way::Once,
            ..Statement::new(self.1.clone(), [now.into()])
        };
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
    async fn marks_become_numbers_lists_and_qualified_names() {
        let options = PostgresOptions::new("postgres://a@localhost/b")
            .and_then(|options| options.schema("jobs"))
            .expect("well-formed");
        let engine = Postgres::new(options);
        assert_eq!(
            engine.text("SELECT max(seq) FROM @task WHERE seq IN (?*) AND due < ? AND lane IN (?*)"),
            "SELECT max(seq) FROM \"jobs\".task WHERE seq = ANY ($1) AND due < $2 AND lane = ANY ($3)"
        );
    }
}
