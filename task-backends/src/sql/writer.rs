//! The places of a process that write: threads that own a connection each and give
//! everything that waits for it one transaction, and so one commit.
//!
//! Callers that come while a commit is under way share the next one. Each is answered
//! when its work is durable. When a shared transaction fails, its parts are tried one by
//! one, so that each caller gets its own error and nobody another's.
//!
//! An embedded store has one such place. A server has three, because its transactions run at
//! the same time: one for enqueueing, one for claiming, one for everything else. So the ends of
//! some tasks are written while the next ones are read.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{Error, ErrorKind, NewTask, Result, TaskRecord, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::engine::{Engine, Link};
use super::enqueue::NewRows;
use super::lanes::Lanes;
use super::transaction::{Transaction, Work};
use super::watch::Watch;

/// How many pieces of work may wait before callers have to wait to hand theirs in.
const QUEUE_LENGTH: usize = 4096;

/// The most tasks that share one enqueueing transaction: bounds its time and memory.
const GROUP_TASKS: usize = 4000;

/// The most other pieces of work in one transaction.
const GROUP_WORKS: usize = 64;

/// Where several enqueue at a time, how long to wait for those that were just answered: they are
/// about to come again. Much less than a commit, and more than a caller needs.
const COMPANY_WITHIN: Duration = Duration::from_micros(60);

/// How often a busy store is tried again before the caller hears of it, and how long to
/// wait in between at most. SQLite's own waiting comes on top of each try.
const BUSY_TRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// How long a server may take for a transaction that enqueues; then its connection is given up.
const LONGEST_ENQUEUE: Duration = Duration::from_secs(30);

/// The same for everything a worker does: a connection on which nothing gets through any more is given
/// up while there is still time to renew a lease of the usual length on another one.
const LONGEST_WORK: Duration = Duration::from_secs(15);

/// A piece of work with the one who waits for it, whatever its answer.
#[async_trait]
trait Pending: Send {
    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()>;
    /// Whether it was done, by one statement.
    async fn run_alone(&mut self, transaction: &mut Transaction<'_>) -> Result<bool>;
    fn is_sociable(&self) -> bool;
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

    async fn run_alone(&mut self, transaction: &mut Transaction<'_>) -> Result<bool> {
        self.answer = self.work.run_alone(transaction).await?;
        Ok(self.answer.is_some())
    }

    fn is_sociable(&self) -> bool {
        self.work.is_sociable()
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self {
            mut work,
            answer,
            reply,
        } = *self;
        if outcome.is_ok() {
            work.settled();
        }
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

/// Hands work to the writing threads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    enqueues: mpsc::Sender<Message>,
    claims: mpsc::Sender<Message>,
    works: mpsc::Sender<Message>,
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "no thread for writing could be started").because(error)
}

fn closed() -> Error {
    Error::new(ErrorKind::State, "the store is closed")
}

impl Writer {
    /// Starts the writing threads; the first one takes this connection.
    pub(crate) fn start(
        link: Option<Box<dyn Link>>,
        engine: &Arc<dyn Engine>,
        lanes: &Arc<Lanes>,
        watch: &Watch,
    ) -> Result<Self> {
        let start = |link, longest, name| {
            let (engine, lanes, watch) = (engine.clone(), lanes.clone(), watch.clone());
            Loop::start(link, engine, lanes, watch, longest, name)
        };
        let works = start(link, LONGEST_WORK, "task-writer")?;
        let (enqueues, claims) = if engine.is_server() {
            (
                start(None, LONGEST_ENQUEUE, "task-enqueuer")?,
                start(None, LONGEST_WORK, "task-claimer")?,
            )
        } else {
            (works.clone(), works.clone())
        };
        Ok(Self {
            enqueues,
            claims,
            works,
        })
    }

    /// Runs a piece of work in a transaction and returns its answer once it is durable.
    pub(crate) async fn run<W: Work + 'static>(&self, work: W) -> Result<W::Answer> {
        let (reply, answer) = oneshot::channel();
        let place = if work.claims() { &self.claims } else { &self.works };
        let pending = Box::new(Waiting {
            work,
            answer: None,
            reply,
        });
        place.send(Message::Work(pending)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Stores tasks, in one transaction with whoever else enqueues now.
    pub(crate) async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        let (reply, answer) = oneshot::channel();
        self.enqueues
            .send(Message::Enqueue(Enqueue { tasks, reply }))
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Finishes what was handed in before and closes the connections.
    pub(crate) async fn close(&self) {
        for messages in [&self.enqueues, &self.claims, &self.works] {
            let (done, closed) = oneshot::channel();
            if messages.send(Message::Close(done)).await.is_ok() {
                let _ = closed.await;
            }
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
    /// Nothing until it is needed, and after it broke.
    link: Option<Box<dyn Link>>,
    engine: Arc<dyn Engine>,
    lanes: Arc<Lanes>,
    watch: Watch,
    /// How long a server may take for one transaction.
    longest: Duration,
    inbox: mpsc::Receiver<Message>,
    /// A message that did not fit into the last group.
    next: Option<Message>,
    /// How many callers enqueued in the last group.
    company: usize,
}

impl Loop {
    /// Starts a writing thread and returns where to send it messages.
    fn start(
        link: Option<Box<dyn Link>>,
        engine: Arc<dyn Engine>,
        lanes: Arc<Lanes>,
        watch: Watch,
        longest: Duration,
        name: &str,
    ) -> Result<mpsc::Sender<Message>> {
        let (messages, inbox) = mpsc::channel(QUEUE_LENGTH);
        let writing = Self {
            link,
            engine,
            lanes,
            watch,
            longest,
            inbox,
            next: None,
            company: 0,
        };
        // On a thread of its own: between two statements it would otherwise stand in line
        // behind whatever tasks the program runs, with the store's locks in its hand.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(no_thread)?;
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || runtime.block_on(writing.run()))
            .map_err(no_thread)?;
        Ok(messages)
    }

    async fn run(mut self) {
        loop {
            let (group, close) = self.gather().await;
            if group.len() > 0 {
                self.settle(group).await;
            }
            let Some(close) = close else { continue };
            if let Some(link) = self.link.take() {
                link.close().await;
            }
            if let Some(done) = close {
                let _ = done.send(());
            }
            return;
        }
    }

    /// Waits for a first message and takes what else is there already. The second value
    /// is `Some` when this is the last group: with the one who asked, or nobody.
    async fn gather(&mut self) -> (Group, Option<Option<oneshot::Sender<()>>>) {
        let mut group = Group::default();
        let mut company = std::mem::take(&mut self.company);
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
                Message::Work(work) => {
                    let is_sociable = work.is_sociable() || !self.engine.is_server();
                    if !is_sociable && group.len() > 0 {
                        self.next = Some(Message::Work(work));
                        break;
                    }
                    group.works.push(work);
                    if !is_sociable {
                        break;
                    }
                }
                Message::Close(done) => return (group, Some(Some(done))),
            }
            if group.works.len() >= GROUP_WORKS {
                break;
            }
            message = self.inbox.try_recv().ok();
            if message.is_none() && group.works.is_empty() && 2 * group.enqueues.len() < company {
                // A commit for each half of them would take twice as long. Nothing else runs on
                // this thread, and a timer would take its millisecond.
                company = 0;
                std::thread::sleep(COMPANY_WITHIN);
                message = self.inbox.try_recv().ok();
            }
        }
        self.company = if self.engine.is_server() {
            group.enqueues.len()
        } else {
            0
        };
        (group, None)
    }

    /// Runs a group in one transaction; if that fails, each part in its own.
    async fn settle(&mut self, mut group: Group) {
        let Err(error) = self.attempt(&mut group).await else {
            return;
        };
        // A store that is away or busy is so for each part, too.
        if group.len() == 1 || error.is_retryable() {
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

    /// One transaction, tried again while another process is in the way. On success
    /// everybody has been answered and the group is empty.
    async fn attempt(&mut self, group: &mut Group) -> Result<()> {
        let mut tries = 1;
        loop {
            let error = match self.transact_in_time(group, tries > 1).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let is_broken = match &mut self.link {
                Some(link) => error.is_retryable() && !link.is_alive().await,
                None => true,
            };
            if is_broken {
                // Its thread died, or the server went away: a new one.
                self.link = None;
            }
            if !error.is_retryable() || tries == BUSY_TRIES {
                return Err(error);
            }
            tokio::time::sleep(jittered(BUSY_PAUSE * tries)).await;
            tries += 1;
        }
    }

    async fn transact_in_time(&mut self, group: &mut Group, is_again: bool) -> Result<()> {
        if !self.engine.is_server() {
            return self.transact(group, is_again).await;
        }
        let transacting = tokio::time::timeout(self.longest, self.transact(group, is_again));
        if let Ok(outcome) = transacting.await {
            return outcome;
        }
        // Whatever state it is in now, it is not ours any more.
        self.link = None;
        let message = format!(
            "the store did not answer within {} seconds",
            self.longest.as_secs()
        );
        Err(Error::new(ErrorKind::Unavailable, message).hint("is the way to it cut, or is it overloaded?"))
    }

    async fn transact(&mut self, group: &mut Group, is_again: bool) -> Result<()> {
        let link = match &mut self.link {
            Some(link) => link,
            none => none.insert(self.engine.connect().await?),
        };
        let mut is_lost = false;
        let outcome = async {
            let rows = NewRows::new(group.enqueues.iter().flat_map(|one| &one.tasks))?;
            let alone = group.works.is_empty() && self.engine.enqueues_in_one_statement();
            let lanes = self.lanes.clone();
            if alone && !is_again && rows.has_lanes(&lanes) {
                let mut transaction = Transaction::joined(&mut **link, self.engine.clone(), 0, lanes);
                let accepted_at = rows.store(&mut transaction).await?;
                return Ok((Some(accepted_at), transaction.made_ready));
            }
            if let ([work], [], false) = (&mut group.works[..], &rows.tasks[..], is_again) {
                let mut transaction = Transaction::joined(&mut **link, self.engine.clone(), 0, lanes.clone());
                if work.run_alone(&mut transaction).await? {
                    return Ok((None, transaction.made_ready));
                }
            }
            let mut transaction = Transaction::begin(&mut **link, self.engine.clone(), lanes);
            match fill(&mut transaction, rows, group, is_again).await {
                Ok(accepted_at) => {
                    transaction.lanes.keep();
                    Ok((accepted_at, transaction.made_ready))
                }
                Err(error) => {
                    is_lost = !transaction.roll_back().await && self.engine.is_server();
                    Err(error)
                }
            }
        }
        .await;
        let (accepted_at, made_ready) = match outcome {
            Ok(done) => done,
            Err(error) => {
                if is_lost {
                    self.link = None;
                }
                return Err(error);
            }
        };
        self.watch.committed(made_ready);
        self.engine.tell(made_ready);
        for Enqueue { tasks, reply } in group.enqueues.drain(..) {
            let accepted = |accepted_at| tasks.into_iter().map(|task| task.accepted(accepted_at)).collect();
            let _ = reply.send(Ok(accepted_at.map(accepted).unwrap_or_default()));
        }
        for work in group.works.drain(..) {
            work.answer(Ok(()));
        }
        Ok(())
    }
}

/// Half of a pause to all of it, so that two that were in each other's way part.
fn jittered(pause: Duration) -> Duration {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
    pause / 2 + pause.mul_f64((random % 1000) as f64 / 2000.0)
}

/// Puts everything of a group into the transaction and commits it; returns when the
/// enqueued tasks were accepted, if there are any.
async fn fill(
    transaction: &mut Transaction<'_>,
    rows: NewRows,
    group: &mut Group,
    is_again: bool,
) -> Result<Option<Timestamp>> {
    let mut accepted_at = None;
    if is_again {
        accepted_at = rows.accepted_before(transaction).await?;
    }
    if accepted_at.is_none() && !rows.tasks.is_empty() {
        accepted_at = Some(rows.store(transaction).await?);
    }
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
