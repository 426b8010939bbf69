//! Running what waits, here and now: for tests of code that enqueues and of the tasks themselves.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use task_core::signals::{Connection, TASK_FINISHED, TASK_STARTED};
use task_core::{
    BackendAlias, Backends, Clock, Error, ErrorKind, QueueSelection, Registry, Result, TaskId, TaskRecord,
    TaskStatus,
};
use tokio::time::Instant;

use crate::Shutdown;
use crate::worker::{Summary, Worker, WorkerOptions};

/// How many lost tasks are returned in one step.
const RESCUED_AT_ONCE: usize = 1000;

/// The least that a clock is moved, so that time goes on whatever a store says.
const TICK: Duration = Duration::from_micros(1);

/// Runs everything that is due on these backends in this process, and what it enqueues in turn,
/// until nothing is due any more.
///
/// It is a worker like any other, for as long as there is something to do: the arguments take
/// their way through the store, failures are kept, retries wait for their time, signals are
/// sent. Backends that no worker can work on are passed over.
///
/// ```
/// use std::sync::Arc;
/// use task_backends::SqliteBackend;
/// use task_core::{Backends, task};
///
/// #[task]
/// async fn double(number: i64) -> i64 {
///     number * 2
/// }
///
/// # #[tokio::main]
/// # async fn main() -> task_core::Result<()> {
/// let backends = Backends::single(Arc::new(SqliteBackend::temporary().await?));
/// let mut result = double::new(21).enqueue_on(&backends).await?;
///
/// let drained = task_worker::drain(&backends).await?;
/// drained.assert_succeeded();
/// assert_eq!(drained.summary.started, 1);
///
/// result.refresh().await?;
/// assert_eq!(result.return_value()?, 42);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// - [`ErrorKind::Unsupported`]: there is no backend that a worker can work on.
/// - [`ErrorKind::TimedOut`]: it took longer than [`Drain::timeout`]; the message names what
///   still ran, and that was given back.
/// - As [`Worker::new`] and [`Worker::run`].
///
/// That a task failed is no error here: [`Drained::assert_succeeded`] and [`Drained::check`] say so.
pub fn drain(backends: &Backends) -> Drain {
    Drain {
        backends: backends.clone(),
        alias: None,
        registry: None,
        queues: QueueSelection::default(),
        concurrency: 1,
        timeout: Duration::from_secs(60),
        passing: None,
    }
}

/// How to drain; made by [`drain`], started by `.await`.
#[derive(Debug, Clone)]
#[must_use = "nothing is run until this is awaited"]
pub struct Drain {
    backends: Backends,
    alias: Option<String>,
    registry: Option<Registry>,
    queues: QueueSelection,
    concurrency: usize,
    timeout: Duration,
    /// The clock of the stores, and how far to move it.
    passing: Option<(Clock, Duration)>,
}

impl Drain {
    /// Only the backend of this alias. Default: all that a worker can work on.
    pub fn backend(mut self, alias: impl Into<String>) -> Self {
        self.alias = Some(alias.into());
        self
    }

    /// Only these queues. Default: all.
    pub fn queues<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        self.queues.only = Some(queues.into_iter().map(Into::into).collect());
        self
    }

    /// Only these tasks; others stay for a worker that knows them. Default: those that `#[task]`
    /// registered.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// So many tasks at a time. Default: one after the other, in the order of priority, due time
    /// and arrival. A task that waits for another one needs at least 2.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// At most this long, by the machine's clock. Default: one minute.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets so much time pass for the stores: what becomes due in it runs when it is due, retries
    /// as well. `clock` is the [manual one](Clock::manual) that the stores were opened with.
    pub fn advancing(mut self, clock: &Clock, by: Duration) -> Self {
        self.passing = Some((clock.clone(), by));
        self
    }

    async fn run(self) -> Result<Drained> {
        let aliases = self.aliases()?;
        let registry = match &self.registry {
            Some(registry) => registry.clone(),
            None => Registry::global()?.clone(),
        };
        let mut round = Round {
            options: WorkerOptions {
                queues: self.queues,
                concurrency: self.concurrency,
                // In order, also where a task enqueues one of higher priority.
                prefetch: 0,
                batch: true,
                ..WorkerOptions::default()
            },
            registry,
            ends_at: Instant::now() + self.timeout,
            timeout: self.timeout,
            drained: Drained::default(),
        };
        let (clock, mut left) = self.passing.unwrap_or_default();
        if !left.is_zero() && !clock.is_manual() {
            return Err(
                Error::new(ErrorKind::State, "the machine's clock cannot be moved")
                    .hint("open the store with a `Clock::manual(..)` and pass a clone of it"),
            );
        }
        loop {
            round.run_what_is_due(&aliases).await?;
            match round.drained.next_due {
                Some(due) if due <= left => {
                    let due = due.max(TICK);
                    clock.advance(due);
                    left = left.saturating_sub(due);
                }
                _ => break,
            }
        }
        clock.advance(left);
        round.drained.next_due = round.drained.next_due.map(|due| due.saturating_sub(left));
        Ok(round.drained)
    }

    fn aliases(&self) -> Result<Vec<Arc<BackendAlias>>> {
        let asked: Vec<_> = match &self.alias {
            // One that no worker can work on is refused by the worker.
            Some(alias) => return Ok(vec![self.backends.get(alias)?.clone()]),
            None => self.backends.iter().cloned().collect(),
        };
        let workable: Vec<_> = asked
            .iter()
            .filter(|alias| alias.backend().queue().is_some())
            .cloned()
            .collect();
        if workable.is_empty() {
            let kinds: Vec<_> = asked.iter().map(|alias| alias.backend().kind()).collect();
            let message = format!("there is no backend to drain, only: {}", kinds.join(", "));
            return Err(Error::new(ErrorKind::Unsupported, message).hint(
                "`dummy` never runs tasks and `immediate` has run them; drain a temporary SQLite store",
            ));
        }
        Ok(workable)
    }
}

impl IntoFuture for Drain {
    type Output = Result<Drained>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Drained>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Runs workers until nothing is due.
struct Round {
    options: WorkerOptions,
    registry: Registry,
    ends_at: Instant,
    timeout: Duration,
    drained: Drained,
}

impl Round {
    /// Runs what is due on all aliases. A task may enqueue one on another alias, so all of them
    /// are asked again until none has any.
    async fn run_what_is_due(&mut self, aliases: &[Arc<BackendAlias>]) -> Result<()> {
        loop {
            let mut started = 0;
            self.drained.next_due = None;
            for alias in aliases {
                started += self.run_worker(alias).await?;
            }
            if started == 0 {
                return Ok(());
            }
        }
    }

    /// Runs a worker on this alias until nothing is due, and says how many attempts began.
    async fn run_worker(&mut self, alias: &Arc<BackendAlias>) -> Result<u64> {
        rescue(alias).await?;
        let options = self.options.clone();
        let seen = Seen::by(&options.id);
        let worker = Worker::new(alias.clone(), self.registry.clone(), options)?;
        let shutdown = Shutdown::new();
        let mut running = std::pin::pin!(worker.run_to_end(shutdown.clone()));
        let ended = tokio::time::timeout_at(self.ends_at, &mut running).await;
        let Ok(ended) = ended else {
            let still_running = seen.still_running();
            shutdown.force();
            running.await?;
            return Err(self.took_too_long(&still_running));
        };
        let (summary, next_due) = ended?;
        self.drained.summary.add(summary);
        self.drained.next_due = [self.drained.next_due, next_due].into_iter().flatten().min();
        for record in seen.take() {
            let record = as_stored(alias, record).await?;
            match self.drained.tasks.iter_mut().find(|known| known.id == record.id) {
                Some(known) => *known = record,
                None => self.drained.tasks.push(record),
            }
        }
        Ok(summary.started)
    }

    fn took_too_long(&self, still_running: &[String]) -> Error {
        let running = match still_running {
            [] => "no task was running".to_owned(),
            running => format!("still running: {}", running.join(", ")),
        };
        let message = format!("draining took longer than {:?}; {running}", self.timeout);
        Error::new(ErrorKind::TimedOut, message).hint(
            "a task that waits for another one needs `.concurrency(2)`; `.timeout(..)` allows more time",
        )
    }
}

/// Returns the tasks of workers that died, as a worker that starts would soon.
async fn rescue(alias: &BackendAlias) -> Result<()> {
    let Some(queue) = alias.backend().queue() else {
        return Ok(());
    };
    loop {
        let rescued = queue.rescue(RESCUED_AT_ONCE).await?;
        if rescued.returned + rescued.failed == 0 {
            return Ok(());
        }
    }
}

/// The task as its backend has it now; where it keeps no results, as it was last seen here.
async fn as_stored(alias: &BackendAlias, seen: TaskRecord) -> Result<TaskRecord> {
    match alias.record(seen.id).await {
        Ok(record) => Ok(record),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => Ok(seen),
        Err(error) => Err(error),
    }
}

/// What one worker of this process was seen to run.
struct Seen {
    records: Arc<Mutex<Vec<TaskRecord>>>,
    _connections: [Connection; 2],
}

impl Seen {
    fn by(worker_id: &str) -> Self {
        let records = Arc::new(Mutex::new(Vec::<TaskRecord>::new()));
        let note = |records: Arc<Mutex<Vec<TaskRecord>>>, worker_id: String| {
            move |record: &TaskRecord| {
                if record.worker_ids.last() != Some(&worker_id) {
                    return;
                }
                let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
                match records.iter_mut().find(|known| known.id == record.id) {
                    Some(known) => *known = record.clone(),
                    None => records.push(record.clone()),
                }
            }
        };
        Self {
            _connections: [
                TASK_STARTED.connect(note(records.clone(), worker_id.to_owned())),
                TASK_FINISHED.connect(note(records.clone(), worker_id.to_owned())),
            ],
            records,
        }
    }

    fn take(&self) -> Vec<TaskRecord> {
        std::mem::take(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn still_running(&self) -> Vec<String> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records
            .iter()
            .filter(|record| record.status == TaskStatus::Running)
            .map(|record| format!("`{}` {}", record.name, record.arguments))
            .collect()
    }
}

/// What draining did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drained {
    /// Counts, as a worker has them.
    pub summary: Summary,
    /// Every task of which an attempt was made, in the order of the first attempts, as it stands now.
    pub tasks: Vec<TaskRecord>,
    /// In how long the next scheduled task is due; `None` when none is scheduled.
    pub next_due: Option<Duration>,
}

impl Drained {
    /// The tasks whose last attempt here brought no value: failed, canceled, or waiting to be
    /// tried again.
    pub fn failures(&self) -> impl Iterator<Item = &TaskRecord> {
        self.tasks
            .iter()
            .filter(|record| record.status != TaskStatus::Successful)
    }

    /// Panics if a task failed, with a list of which and why.
    ///
    /// # Panics
    /// As it says.
    #[track_caller]
    pub fn assert_succeeded(&self) {
        if let Some(told) = self.told() {
            panic!("{told}");
        }
    }

    /// Itself, unless a task failed.
    ///
    /// # Errors
    /// [`ErrorKind::TaskFailed`] with a list of which and why.
    pub fn check(self) -> Result<Self> {
        match self.told() {
            Some(told) => Err(Error::new(ErrorKind::TaskFailed, told)),
            None => Ok(self),
        }
    }

    /// Which tasks failed and why; `None` when none did.
    fn told(&self) -> Option<String> {
        let failed: BTreeSet<TaskId> = self.failures().map(|record| record.id).collect();
        if failed.is_empty() {
            return None;
        }
        let mut text = format!("{} of {} drained tasks failed:", failed.len(), self.tasks.len());
        for record in self.failures() {
            let reason = record.errors.last().map_or_else(
                || "nothing is known of why".to_owned(),
                |error| error.failure.to_string(),
            );
            let again = match record.status {
                TaskStatus::Ready => ", to be tried again",
                TaskStatus::Canceled => ", canceled",
                _ => "",
            };
            let _ = write!(
                text,
                "\n  `{}` {} at attempt {}{again}: {reason}",
                record.name, record.arguments, record.attempts
            );
        }
        Some(text)
    }
}
