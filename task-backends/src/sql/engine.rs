//! What the engines disagree on, in one place: a file for each, and these traits before them.

#[cfg(feature = "mysql")]
pub(crate) mod mysql;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) mod server;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use task_core::{ClaimRequest, Clock, Error, Result, Timestamp};

use super::enqueue::NewRows;
use super::schema::Migration;
use super::script::{Answer, Insert, Statement};
use super::taken::Taken;
use super::transaction::Transaction;
use super::value::{Row, Value};
use super::watch::{Looker, Watch};

/// A connection of whatever driver.
#[async_trait]
pub(crate) trait Link: Send {
    /// Sends prepared statements, in order.
    async fn send(&mut self, statements: Vec<Statement>) -> Result<Answer>;

    /// Sends statements without values as they are, in one trip.
    async fn send_raw(&mut self, sql: String) -> Result<Vec<Row>>;

    /// Whether the store is still there at its other end.
    async fn is_alive(&mut self) -> bool;

    /// Says goodbye.
    async fn close(self: Box<Self>);
}

/// How a transaction that writes begins, in one trip with what it does first.
pub(crate) enum Begin {
    /// With this statement.
    Quietly(&'static str),
    /// With these statements, of which the last one tells the store's time as `now`: the
    /// first row that is answered.
    WithTime(String),
}

/// One kind of store, and the way to its connections.
#[async_trait]
pub(crate) trait Engine: fmt::Debug + Send + Sync {
    /// The kind, as settings name it.
    fn kind(&self) -> &'static str;

    /// Where the store is, without any secret.
    fn place(&self) -> String;

    /// Says which store an error is about.
    fn placed(&self, error: Error) -> Error;

    /// The clock that replaces the store's own, if there is one.
    fn clock(&self) -> Option<&Clock>;

    /// Whether enqueueing and other work have a connection each, and transactions of
    /// several connections run at the same time.
    fn is_server(&self) -> bool;

    /// Turns the marks of a statement into what this engine says.
    fn prepare(&self, statement: Statement) -> Statement;

    /// Statements that insert these rows, prepared.
    fn insert(&self, insert: &Insert, values: Vec<Value>) -> Vec<Statement>;

    /// Ends a query of rows that this transaction is about to change.
    fn locking(&self) -> &'static str;

    /// The same, passing over rows that another transaction holds.
    fn locking_what_is_free(&self) -> &'static str;

    /// A query of the store's time: one number called `now`.
    fn time(&self) -> Cow<'static, str>;

    /// How to begin.
    fn begin(&self) -> Begin;

    /// Stores tasks and returns the time at which they were accepted.
    async fn enqueue(&self, rows: NewRows, transaction: &mut Transaction<'_>) -> Result<Timestamp>;

    /// Whether enqueueing is one statement that needs no transaction around it.
    fn enqueues_in_one_statement(&self) -> bool;

    /// Takes tasks and returns when the next one is due.
    async fn claim(&self, request: &ClaimRequest, transaction: &mut Transaction<'_>) -> Result<Taken>;

    /// Takes tasks by one statement that needs no transaction around it; nothing when that is
    /// not possible now, and then nothing was changed.
    async fn claim_at_once(
        &self,
        request: &ClaimRequest,
        transaction: &mut Transaction<'_>,
    ) -> Result<Option<Taken>>;

    /// Opens the connection that makes and migrates the store.
    async fn connect_first(&self) -> Result<Box<dyn Link>>;

    /// A connection for a look at a store that may be another program's; nothing when there
    /// is no store yet.
    async fn inspect(&self) -> Result<Option<Box<dyn Link>>>;

    /// Opens a connection.
    async fn connect(&self) -> Result<Box<dyn Link>>;

    /// A connection of a pool, in a transaction that reads everything as of one moment and
    /// ends when it is dropped.
    async fn read(&self) -> Result<Box<dyn Link>>;

    /// Starts to notice what other processes write.
    async fn look(&self, watch: &Watch) -> Result<Option<Looker>>;

    /// Tells other processes that something was written; after the commit, and not for sure.
    fn tell(&self, made_ready: bool);

    /// The same inside a transaction of the application's, where that is possible.
    async fn tell_in(&self, transaction: &mut Transaction<'_>) -> Result<()>;

    /// Closes the pool.
    async fn close(&self);

    /// Every step there ever was, in order.
    fn migrations(&self) -> Vec<Migration>;

    /// The version the store has; 0 for a store without anything of ours.
    async fn version(&self, link: &mut dyn Link) -> Result<i64>;

    /// Takes these steps, the last of which leads to the version of this program, unless
    /// another process is faster; returns those that were taken.
    async fn migrate(&self, link: &mut dyn Link) -> Result<Vec<Migration>>;
}
