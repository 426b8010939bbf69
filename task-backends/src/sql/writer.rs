//! The one place of a process that writes: a thread that owns the writing connection and
//! gives everything that waits for it one transaction, and so one commit.
//!
//! Callers that come while a commit is under way share the next one. Each is answered
//! when its work is durable. When a shared transaction fails, its parts are tried one by
//! one, so that each caller gets its own error and nobody another's.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, SqliteConnection};
use task_core::{Clock, Error, ErrorKind, NewTask, Result, TaskRecord, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::enqueue::NewRows;
use super::lanes::{FreshLanes, Lanes};
use super::open::Opener;
use super::script::{Rows, Script, Value};
use super::watch::Watch;

/// How many pieces of work may wait before callers have to wait to hand theirs in.
const QUEUE_LENGTH: usize = 4096;

/// The most tasks that share one enqueueing transaction: bounds its time and memory.
const GROUP_TASKS: usize = 4000;

/// The most other pieces of work in one transaction.
const GROUP_WORKS: usize = 64;

/// How often a busy store is tried again before the caller hears of it, and how long to
/// wait in between at most. SQLite's own waiting comes on top of each try.
const BUSY_TRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// A transaction under construction: statements are collected and sent together.
pub(crate) struct Transaction<'c> {
    connection: &'c mut SqliteConnection,
    script: Script,
    now: i64,
    pub(crate) lanes: FreshLanes,
    /// Set by work that leaves something to claim.
    pub(crate) made_ready: bool,
}

impl<'c> Transaction<'c> {
    /// A transaction that somebody else began and will commit.
    pub(crate) fn joined(connection: &'c mut SqliteConnection, now: i64, lanes: Arc<Lanes>) -> Self {
        Self {
            connection,
            script: Script::default(),
            now,
            lanes: FreshLanes::new(lanes),
            made_ready: false,
        }
    }

    fn begun(connection: &'c mut SqliteConnection, now: i64, lanes: Arc<Lanes>) -> Self {
        let mut transaction = Self::joined(connection, now, lanes);
        // Immediate: a transaction that reads first and writes later could not wait for
        // another writer, it would fail at once.
        transaction.script.push("BEGIN IMMEDIATE", []);
        transaction
    }

    /// The store's time, one for the whole transaction: microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// Adds a statement whose answer does not matter.
    pub(crate) fn run(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.script.push(sql, values);
    }

    /// Sends what was collected and this query; returns its rows, behind those of any query
    /// that was collected.
    pub(crate) async fn fetch(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<SqliteRow>> {
        self.script.push(sql, values);
        self.script.send(self.connection).await
    }

    /// Inserts rows that were made into statements before.
    pub(crate) async fn insert(&mut self, rows: Rows) -> Result<()> {
        rows.send(&mut self.script, self.connection).await
    }

    /// Sends what was collected, without committing.
    pub(crate) async fn send(&mut self) -> Result<()> {
        self.script.send(self.connection).await.map(drop)
    }

    async fn commit(&mut self) -> Result<()> {
        self.script.push("COMMIT", []);
        self.send().await
    }

    async fn roll_back(&mut self) {
        self.script = Script::default();
        self.script.push("ROLLBACK", []);
        // Fails when the transaction did not begin or has ended by its own error: fine.
        let _ = self.send().await;
    }
}

/// A piece of work inside a transaction. It may be run again after a roll-back.
#[async_trait]
pub(crate) trait Work: Send + Sync {
    type Answer: Send;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Answer>;
}

/// A piece of work with the one who waits for it, whatever its answer.
#[async_trait]
trait Pending: Send {
    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()>;
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Waiting<W: Work> {
    work: W,
    answer: Option<W::Answer>,
    reply: oneshot::Sender<Result<W::Answer>>,
}

#[async_trait]
impl<W: Work> Pending for Waiting<W> {
    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        self.answer = Some(self.work.run(transaction).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { answer, reply, .. } = *self;
        let answer = outcome.and_then(|()| {
            answer.ok_or_else(|| Error::new(ErrorKind::Backend, "the writer committed work it did not run"))
        });
        // The caller may have gone away; its work is done all the same.
        let _ = reply.send(answer);
    }
}

/// Enqueueing is the one kind of work that many callers do at a time: theirs is merged.
struct Enqueue {
    tasks: Vec<NewTask>,
    reply: oneshot::Sender<Result<Vec<TaskRecord>>>,
}

enum Message {
    Enqueue(Enqueue),
    Work(Box<dyn Pending>),
    Close(oneshot::Sender<()>),
}

/// Hands work to the writing thread. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    messages: mpsc::Sender<Message>,
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "no thread for writing could be started").because(error)
}

fn closed() -> Error {
    Error::new(ErrorKind::State, "the store is closed")
}

impl Writer {
    /// Starts the writing thread on this connection.
    pub(crate) fn start(
        connection: SqliteConnection,
        opener: Opener,
        lanes: Arc<Lanes>,
        watch: Watch,
        clock: Clock,
    ) -> Result<Self> {
        let (messages, inbox) = mpsc::channel(QUEUE_LENGTH);
        let next = None;
        let writing = Loop {
            connection,
            opener,
            lanes,
            watch,
            clock,
            inbox,
            next,
        };
        // On a thread of its own: between two statements it would otherwise stand in line
        // behind whatever tasks the program runs, with the store's lock in its hand.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(no_thread)?;
        std::thread::Builder::new()
            .name("task-writer".to_owned())
            .spawn(move || runtime.block_on(writing.run()))
            .map_err(no_thread)?;
        Ok(Self { messages })
    }

    /// Runs a piece of work in a transaction and returns its answer once it is durable.
    pub(crate) async fn run<W: Work + 'static>(&self, work: W) -> Result<W::Answer> {
        let (reply, answer) = oneshot::channel();
        let pending = Box::new(Waiting {
            work,
            answer: None,
            reply,
        });
        self.messages
            .send(Message::Work(pending))
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Stores tasks, in one transaction with whoever else enqueues now.
    pub(crate) async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        let (reply, answer) = oneshot::channel();
        self.messages
            .send(Message::Enqueue(Enqueue { tasks, reply }))
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Finishes what was handed in before and closes the connection.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.messages.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

/// What goes into one transaction.
#[derive(Default)]
struct Group {
    enqueues: Vec<Enqueue>,
    works: Vec<Box<dyn Pending>>,
}

impl Group {
    fn len(&self) -> usize {
        self.works.len() + self.enqueues.len()
    }
}

struct Loop {
    connection: SqliteConnection,
    opener: Opener,
    lanes: Arc<Lanes>,
    watch: Watch,
    clock: Clock,
    inbox: mpsc::Receiver<Message>,
    /// A message that did not fit into the last group.
    next: Option<Message>,
}

impl Loop {
    async fn run(mut self) {
        loop {
            let (group, close) = self.gather().await;
            if group.len() > 0 {
                self.settle(group).await;
            }
            match close {
                Some(Some(done)) => {
                    let _ = self.connection.close().await;
                    let _ = done.send(());
                    return;
                }
                Some(None) => {
                    let _ = self.connection.close().await;
                    return;
                }
                None => {}
            }
        }
    }

    /// Waits for a first message and takes what else is there already. The second value
    /// is `Some` when this is the last group: with the one who asked, or nobody.
    async fn gather(&mut self) -> (Group, Option<Option<oneshot::Sender<()>>>) {
        let mut group = Group::default();
        let mut tasks = 0;
        let mut message = match self.next.take() {
            Some(message) => Some(message),
            None => match self.inbox.recv().await {
                Some(message) => Some(message),
                None => return (group, Some(None)),
            },
        };
        while let Some(taken) = message.take() {
            match taken {
                Message::Enqueue(enqueue) => {
                    if tasks > 0 && tasks + enqueue.tasks.len() > GROUP_TASKS {
                        self.next = Some(Message::Enqueue(enqueue));
                        break;
                    }
                    tasks += enqueue.tasks.len();
                    group.enqueues.push(enqueue);
                }
                Message::Work(work) => group.works.push(work),
                Message::Close(done) => return (group, Some(Some(done))),
            }
            if group.works.len() >= GROUP_WORKS {
                break;
            }
            message = self.inbox.try_recv().ok();
        }
        (group, None)
    }

    /// Runs a group in one transaction; if that fails, each part in its own.
    async fn settle(&mut self, mut group: Group) {
        let Err(error) = self.attempt(&mut group).await else {
            return;
        };
        if group.len() == 1 {
            return answer_all(group, &error);
        }
        tracing::debug!(%error, parts = group.len(), "a shared transaction failed, trying its parts");
        for enqueue in group.enqueues {
            let mut part = Group {
                enqueues: vec![enqueue],
                works: Vec::new(),
            };
            if let Err(error) = self.attempt(&mut part).await {
                answer_all(part, &error);
            }
        }
        for work in group.works {
            let mut part = Group {
                enqueues: Vec::new(),
                works: vec![work],
            };
            if let Err(error) = self.attempt(&mut part).await {
                answer_all(part, &error);
            }
        }
    }

    /// One transaction, tried again while another process holds the lock. On success
    /// everybody has been answered and the group is empty.
    async fn attempt(&mut self, group: &mut Group) -> Result<()> {
        let mut tries = 1;
        loop {
            match self.transact(group).await {
                Err(error) if error.is_retryable() && tries < BUSY_TRIES => {
                    tokio::time::sleep(BUSY_PAUSE * tries).await;
                    tries += 1;
                    if self.connection.ping().await.is_err() {
                        // Its thread died: a new one.
                        self.connection = self.opener.connect(false).await?;
                    }
                }
                outcome => return outcome,
            }
        }
    }

    async fn transact(&mut self, group: &mut Group) -> Result<()> {
        let now = self.clock.now().as_microsecond();
        let mut transaction = Transaction::begun(&mut self.connection, now, self.lanes.clone());
        let outcome = fill(&mut transaction, group).await;
        match outcome {
            Ok(enqueued_at) => {
                transaction.lanes.keep();
                self.watch.committed(transaction.made_ready);
                for Enqueue { tasks, reply } in group.enqueues.drain(..) {
                    let records = tasks.into_iter().map(|task| task.accepted(enqueued_at)).collect();
                    let _ = reply.send(Ok(records));
                }
                for work in group.works.drain(..) {
                    work.answer(Ok(()));
                }
                Ok(())
            }
            Err(error) => {
                transaction.roll_back().await;
                Err(error)
            }
        }
    }
}

/// Puts everything of a group into the transaction and commits it; returns when the
/// enqueued tasks were accepted.
async fn fill(transaction: &mut Transaction<'_>, group: &mut Group) -> Result<Timestamp> {
    let rows = NewRows::new(
        group.enqueues.iter().flat_map(|one| &one.tasks),
        transaction.now(),
    )?;
    let accepted_at = rows.store(transaction).await?;
    for work in &mut group.works {
        work.run(transaction).await?;
    }
    transaction.commit().await?;
    Ok(accepted_at)
}

/// Tells everybody in the group the same error.
fn answer_all(group: Group, error: &Error) {
    for enqueue in group.enqueues {
        let _ = enqueue.reply.send(Err(error.clone()));
    }
    for work in group.works {
        work.answer(Err(error.clone()));
    }
}
