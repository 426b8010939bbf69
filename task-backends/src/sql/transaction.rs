//! A transaction under construction: statements are collected and sent together.
//!
//! Each trip to the store costs more than a small statement, so statements are sent only
//! when an answer is needed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{Error, ErrorKind, Result};

use super::engine::{Begin, Engine, Link};
use super::error::corrupt;
use super::lanes::{FreshLanes, Lanes};
use super::script::{Answer, Insert, Statement};
use super::value::{Row, Value};

/// How long a server may take until reading has begun.
const BEGUN_WITHIN: Duration = Duration::from_secs(15);

/// How long a server may take for one query. Counting reads everything.
const READ_WITHIN: Duration = Duration::from_secs(60);

pub(crate) struct Transaction<'c> {
    link: &'c mut dyn Link,
    engine: Arc<dyn Engine>,
    script: Vec<Statement>,
    /// What is sent with the commit.
    closing: Vec<Statement>,
    /// The store's time, once it is known.
    now: Option<i64>,
    /// The first row of the next answer is the store's time.
    asks_time: bool,
    pub(crate) lanes: FreshLanes,
    /// Set by work that leaves something to claim.
    pub(crate) made_ready: bool,
}

impl<'c> Transaction<'c> {
    /// A transaction that somebody else began and will commit, or a statement of its own,
    /// at this time of the store.
    pub(crate) fn joined(
        link: &'c mut dyn Link,
        engine: Arc<dyn Engine>,
        now: i64,
        lanes: Arc<Lanes>,
    ) -> Self {
        Self {
            link,
            engine,
            script: Vec::new(),
            closing: Vec::new(),
            now: Some(now),
            asks_time: false,
            lanes: FreshLanes::new(lanes),
            made_ready: false,
        }
    }

    /// A transaction that begins here, with its first statements.
    pub(crate) fn begin(link: &'c mut dyn Link, engine: Arc<dyn Engine>, lanes: Arc<Lanes>) -> Self {
        let clock = engine.clock().map(|clock| clock.now().as_microsecond());
        let begin = engine.begin();
        let mut transaction = Self::joined(link, engine, clock.unwrap_or_default(), lanes);
        match begin {
            Begin::Quietly(begin) => transaction.script.push(Statement::new(begin, [])),
            Begin::WithTime(begin) => {
                transaction.now = clock;
                transaction.asks_time = true;
                transaction.script.push(Statement::plain(begin));
            }
        }
        transaction
    }

    /// The engine on the other side.
    pub(crate) fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone()
    }

    /// The store's time, one for the whole transaction: microseconds since 1970. Comes with
    /// the first answer, whatever was asked.
    pub(crate) async fn now(&mut self) -> Result<i64> {
        if self.now.is_none() {
            self.send().await?;
        }
        self.now.ok_or_else(|| corrupt("the store did not tell its time"))
    }

    /// Adds a statement whose answer does not matter, or comes with the next one's.
    pub(crate) fn run(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        let statement = Statement::new(sql.to_owned(), values);
        self.script.push(self.engine.prepare(statement));
    }

    /// The same at the end of the transaction, where it costs no trip of its own: nothing before
    /// depends on it.
    pub(crate) fn run_last(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        let statement = Statement::new(sql.to_owned(), values);
        self.closing.push(self.engine.prepare(statement));
    }

    /// Sends what was collected and this query; returns its rows, behind those of any query
    /// that was collected.
    pub(crate) async fn fetch(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>> {
        self.run(sql, values);
        Ok(self.send().await?.rows)
    }

    /// Sends what was collected, then this statement, and returns how many rows it wrote.
    pub(crate) async fn write(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64> {
        self.send().await?;
        self.run(sql, values);
        Ok(self.send().await?.written)
    }

    /// Inserts rows.
    pub(crate) async fn insert(&mut self, insert: &Insert, values: Vec<Value>) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let statements = self.engine.insert(insert, values);
        self.add(statements).await
    }

    /// Adds prepared statements; those that want to be alone are sent.
    pub(crate) async fn add(&mut self, statements: Vec<Statement>) -> Result<()> {
        for statement in statements {
            if statement.alone {
                self.send().await?;
                self.link.send(vec![statement]).await?;
            } else {
                self.script.push(statement);
            }
        }
        Ok(())
    }

    /// Sends what was collected, without committing.
    pub(crate) async fn send(&mut self) -> Result<Answer> {
        if self.script.is_empty() {
            return Ok(Answer::default());
        }
        let mut answer = self.link.send(std::mem::take(&mut self.script)).await?;
        if std::mem::take(&mut self.asks_time) {
            let time: Vec<Row> = answer.rows.drain(..answer.rows.len().min(1)).collect();
            let now = read_time(&time)?;
            self.now.get_or_insert(now);
        }
        Ok(answer)
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        self.script.append(&mut self.closing);
        self.script.push(Statement::plain("COMMIT"));
        self.send().await.map(drop)
    }

    /// Undoes everything; `false` when there was nothing to undo, because the transaction
    /// did not begin, has ended by its own error, or the connection is gone.
    pub(crate) async fn roll_back(&mut self) -> bool {
        self.asks_time = false;
        self.script = vec![Statement::plain("ROLLBACK")];
        self.send().await.is_ok()
    }
}

/// The answer to [`Engine::time`].
pub(crate) fn read_time(rows: &[Row]) -> Result<i64> {
    rows.last()
        .ok_or_else(|| corrupt("the store did not tell its time"))?
        .int("now")
}

/// A piece of work inside a transaction. It may be run again after a roll-back.
#[async_trait]
pub(crate) trait Work: Send + Sync {
    type Answer: Send;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Answer>;

    /// It was committed, and whoever asked has the answer.
    fn settled(&mut self) {}

    /// Whether other work may share its transaction where several transactions run at a
    /// time: it touches only what its own worker holds, so nobody waits for it.
    fn is_sociable(&self) -> bool {
        false
    }

    /// Whether it takes tasks.
    fn claims(&self) -> bool {
        false
    }

    /// Does it by one statement without a transaction around it; nothing when that is not
    /// possible now, and then nothing was changed.
    async fn run_alone(&mut self, _transaction: &mut Transaction<'_>) -> Result<Option<Self::Answer>> {
        Ok(None)
    }
}

/// A connection that reads everything as of one moment.
pub(crate) struct Reader {
    link: Box<dyn Link>,
    engine: Arc<dyn Engine>,
}

/// Waits for a server's answer, but not for ever: the way to it may be cut without anybody being told.
async fn in_time<T>(
    engine: &Arc<dyn Engine>,
    time: Duration,
    reading: impl Future<Output = Result<T>>,
) -> Result<T> {
    if !engine.is_server() {
        return reading.await;
    }
    tokio::time::timeout(time, reading).await.unwrap_or_else(|_| {
        let message = format!("the store did not answer within {} seconds", time.as_secs());
        Err(Error::new(ErrorKind::Unavailable, message).hint("is the way to it cut, or is it overloaded?"))
    })
}

impl Reader {
    pub(crate) async fn begin(engine: &Arc<dyn Engine>) -> Result<Self> {
        Ok(Self {
            link: in_time(engine, BEGUN_WITHIN, engine.read()).await?,
            engine: engine.clone(),
        })
    }

    /// The rows of a query.
    pub(crate) async fn fetch(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>> {
        let statement = self.engine.prepare(Statement::new(sql.to_owned(), values));
        let reading = self.link.send(vec![statement]);
        Ok(in_time(&self.engine, READ_WITHIN, reading).await?.rows)
    }

    /// The store's time: microseconds since 1970.
    pub(crate) async fn now(&mut self) -> Result<i64> {
        if let Some(clock) = self.engine.clock() {
            return Ok(clock.now().as_microsecond());
        }
        let time = self.engine.time();
        read_time(&self.fetch(&time, []).await?)
    }
}
