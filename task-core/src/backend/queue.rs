//! Where tasks are kept, seen by a worker: claim, renew, finish, give back, rescue.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{FailureKind, Paused, Result, RetryPolicy, TaskFailure, TaskId, TaskRecord, Verdict};

/// A worker as the store knows it, from [`TaskQueue::join`] until it leaves or is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WorkerKey(pub i64);

/// How a worker introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its name, unique among living workers: 1 to 64 bytes without control characters.
    pub id: String,
    /// The host it runs on.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// The queues it takes from, in words.
    pub queues: String,
    /// How many tasks it runs at a time.
    pub concurrency: usize,
    /// How long it may be silent before its tasks are given to others.
    pub lease: Duration,
}

/// Which queues a worker takes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueSelection {
    /// Only these; `None` means all.
    pub only: Option<BTreeSet<String>>,
    /// Never these.
    pub except: BTreeSet<String>,
}

impl QueueSelection {
    /// Whether a task in this queue is taken.
    pub fn includes(&self, queue: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(queue)) && !self.except.contains(queue)
    }
}

impl std::fmt::Display for QueueSelection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.only {
            None => f.write_str("*")?,
            Some(only) => f.write_str(&only.iter().map(String::as_str).collect::<Vec<_>>().join(","))?,
        }
        if !self.except.is_empty() {
            write!(
                f,
                " except {}",
                self.except
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(",")
            )?;
        }
        Ok(())
    }
}

/// A wish for tasks.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Who asks.
    pub worker: WorkerKey,
    /// From which queues.
    pub queues: QueueSelection,
    /// Which tasks the worker knows, by name and alias. Others stay for those who know them.
    pub names: Arc<HashSet<String>>,
    /// At most this many.
    pub limit: usize,
    /// How many of them start at once. The rest wait in the worker's memory and return
    /// without using an attempt if it dies before [`Progress::started`] names them. Of a
    /// batch in which something ran before, none counts as started until then.
    pub starting: usize,
}

/// The right to finish one claimed task. Only claiming makes one, finishing and giving
/// back use it up.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    id: TaskId,
    batch: i64,
    position: u32,
    keys: [i64; 3],
}

impl Lease {
    /// For backends: the lease of the task at this position of a claimed batch. `keys` are
    /// whatever numbers the backend finds the task by.
    pub fn new(id: TaskId, batch: i64, position: u32, keys: [i64; 3]) -> Self {
        Self {
            id,
            batch,
            position,
            keys,
        }
    }

    /// The task.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The batch it was claimed with: the token that a later claim does not have.
    pub fn batch(&self) -> i64 {
        self.batch
    }

    /// The backend's own numbers for the task.
    pub fn keys(&self) -> [i64; 3] {
        self.keys
    }

    /// Where in its batch it stands, from 0, in the order in which to start.
    pub fn position(&self) -> u32 {
        self.position
    }
}

/// A claimed task: what to run, and the right to finish it.
#[derive(Debug)]
pub struct Claimed {
    /// The right to finish it.
    pub lease: Lease,
    /// The task, `READY` still: its attempt begins when the worker starts it.
    pub record: TaskRecord,
    /// The attempt whose failure is final.
    pub last_attempt: u32,
    /// When it was claimed, by the store's clock: the base of all its times.
    pub claimed_at: Timestamp,
}

/// What claiming brought.
#[derive(Debug, Default)]
pub struct Claim {
    /// In the order in which to start: priority, then due time, then arrival.
    pub tasks: Vec<Claimed>,
    /// Tasks that were taken beside them and ended `FAILED` at once, because what is stored
    /// about them is damaged.
    pub damaged: usize,
    /// When the next scheduled task is due, counted from now; `None` when none is.
    pub next_due: Option<Duration>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With this return value, as JSON.
    Succeeded(String),
    /// Badly, and it runs again after this time.
    Retry(TaskFailure, Duration),
    /// Badly, for good.
    Failed(TaskFailure),
    /// Because somebody asked for it.
    Canceled(TaskFailure),
}

impl Outcome {
    /// What the end of an attempt means for the task, by its stored policy.
    ///
    /// - A value ends it `SUCCESSFUL`, a [`FailureKind::Canceled`] ends it `CANCELED`.
    /// - Any other failure is retried as its [`Verdict`] says, else as the policy declares, and
    ///   ends `FAILED` when that was its last attempt. A task that snoozes is given back instead.
    pub fn of(
        ended: std::result::Result<String, TaskFailure>,
        id: TaskId,
        policy: &RetryPolicy,
        attempt: u32,
        last_attempt: u32,
    ) -> Self {
        match ended {
            Ok(value) => Self::Succeeded(value),
            Err(failure) if failure.kind == FailureKind::Canceled => Self::Canceled(failure),
            Err(failure) => {
                let as_declared = policy.after_failure(attempt, last_attempt, id.seed());
                match (failure.verdict, as_declared) {
                    (Verdict::Fatal, _) | (_, None) => Self::Failed(failure),
                    (Verdict::RetryInMs(ms), Some(_)) => Self::Retry(failure, Duration::from_millis(ms)),
                    (_, Some(delay)) => Self::Retry(failure, delay),
                }
            }
        }
    }
}

/// One attempt's end, on its way into the store.
#[derive(Debug)]
pub struct Finish {
    /// The right to say so.
    pub lease: Lease,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// The attempt whose failure is final.
    pub last_attempt: u32,
    /// When it began, by the store's clock.
    pub started_at: Timestamp,
    /// When it ended, by the store's clock.
    pub ended_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a worker has to tell: ends, and how far it has started its batches.
#[derive(Debug, Default)]
pub struct Progress {
    /// Attempts that ended.
    pub finished: Vec<Finish>,
    /// By batch: tasks at positions below this may have been started.
    pub started: Vec<(i64, u32)>,
    /// Whether a backend saw it before.
    handed_in: AtomicBool,
}

impl Progress {
    /// With these ends and starts.
    pub fn new(finished: Vec<Finish>, started: Vec<(i64, u32)>) -> Self {
        Self {
            finished,
            started,
            handed_in: AtomicBool::new(false),
        }
    }

    /// For backends: notes that this was handed in, and says whether it was before. Then
    /// some of it may be written already, and must not be written twice.
    pub fn hand_in(&self) -> bool {
        self.handed_in.swap(true, Ordering::SeqCst)
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.finished.is_empty() && self.started.is_empty()
    }
}

/// A claimed task that goes back.
#[derive(Debug)]
pub struct GivenBack {
    /// The right to give it back.
    pub lease: Lease,
    /// Which attempt it would have been or was, from 1.
    pub attempt: u32,
    /// The attempt whose failure is final.
    pub last_attempt: u32,
    /// When it was started, with the reason it did not end; `None` when it was not.
    pub interrupted: Option<(Timestamp, TaskFailure)>,
    /// How long it is to wait, counted from now by the store's clock, where it asked to snooze.
    pub snooze: Option<Duration>,
}

/// What the store answered to [`TaskQueue::renew`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The lease runs again from now; these claimed tasks are asked to stop.
    Renewed {
        /// Tasks of this worker that somebody wants to end.
        canceled: Vec<TaskId>,
        /// What is paused: the worker takes nothing of it.
        paused: Paused,
        /// The store's time.
        now: Timestamp,
    },
    /// The lease had run out and the worker's tasks belong to others.
    Lost,
}

/// What [`TaskQueue::rescue`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rescued {
    /// Workers whose lease had run out.
    pub workers: usize,
    /// Their tasks that wait again.
    pub returned: usize,
    /// Their tasks that ended instead: `FAILED` after too many lost workers, `CANCELED` where
    /// somebody had asked for it.
    pub failed: usize,
}

/// How far a waiter has seen the store change; the default has seen nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wake(pub u64);

/// Where tasks are kept, for a worker.
#[async_trait]
pub trait TaskQueue: Send + Sync {
    /// Makes a worker known and starts its lease.
    async fn join(&self, worker: &WorkerInfo) -> Result<WorkerKey>;

    /// Takes tasks to run.
    ///
    /// # Behavior
    ///
    /// - Only tasks that are due, of the selected queues, with a known name.
    /// - In order of priority, then due time, then arrival.
    /// - No task is ever claimed by two workers at a time.
    /// - A worker that left or was lost claims nothing.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim>;

    /// Writes down how attempts ended and how far batches were started. Returns the tasks
    /// that were refused. A store that works through one connection does this and a claim
    /// that comes at the same time in one transaction.
    ///
    /// # Behavior
    ///
    /// - Durable when it returns. After an error the same progress may be handed in again.
    /// - A task whose lease is no longer valid is refused, and nothing is written for it.
    /// - A task with a retry is `READY` again and due after the given time.
    /// - Every attempt that failed is kept with its failure.
    async fn finish(&self, progress: Arc<Progress>) -> Result<Vec<TaskId>>;

    /// Gives claimed tasks back, to be claimed again at once.
    ///
    /// # Behavior
    ///
    /// - One that was not started returns as it was.
    /// - One that snoozes returns as it was, due after that time.
    /// - One that was interrupted keeps the attempt in its history, but it does not
    ///   count as the task's own failure.
    /// - An interrupted at-most-once task is `FAILED`.
    /// - A task whose lease is no longer valid is left alone.
    /// - After an error the same tasks may be handed in again.
    async fn give_back(&self, tasks: Arc<Vec<GivenBack>>) -> Result<()>;

    /// Says that the worker lives, and learns which of its tasks shall stop.
    ///
    /// # Behavior
    ///
    /// - The lease runs again from now, by the store's clock.
    /// - A worker that was given up is told so, and stays given up.
    async fn renew(&self, worker: WorkerKey, lease: Duration) -> Result<Renewal>;

    /// Takes the tasks of workers whose lease ran out and lets them run again.
    ///
    /// # Behavior
    ///
    /// - At most `limit` tasks in one call; call again while it returns any.
    /// - A task that was not started returns as it was.
    /// - A started one keeps the attempt in its history as lost, and runs again unless it
    ///   lost more workers than it may.
    /// - Two rescuers at a time return no task twice.
    async fn rescue(&self, limit: usize) -> Result<Rescued>;

    /// Returns when there may be something to claim that was not there at `since`, or
    /// after `timeout`; may return early. Pass the answer to the next call, and claim in
    /// between: nothing that comes meanwhile is missed.
    async fn wait(&self, since: Wake, timeout: Duration) -> Wake;

    /// Makes schedules known, from now on, where they are not, and returns the last tick of each.
    ///
    /// # Behavior
    ///
    /// - Of one that was not known it is the store's time.
    async fn last_ticks(&self, schedules: &[Arc<str>]) -> Result<Vec<Timestamp>>;

    /// Notes that the tasks of this schedule are enqueued up to and with this tick.
    ///
    /// # Behavior
    ///
    /// - The last tick never goes back.
    /// - A schedule that is not known becomes known.
    async fn ticked(&self, schedule: &str, tick: Timestamp) -> Result<()>;

    /// Ends the worker's lease. Its claimed tasks, if any are left, wait for a rescuer.
    async fn leave(&self, worker: WorkerKey) -> Result<()>;
}
