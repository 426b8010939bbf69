//! A worker: what it is told at its start, and its life on one page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{BackendAlias, Error, ErrorKind, QueueSelection, Registry, Result, WorkerInfo};

use tokio::task::JoinSet;

use crate::errand::Runner;
use crate::fetcher::Fetcher;
use crate::limits::{self, ConcurrencyLimits, QueueOrder};
use crate::shutdown::Shutdown;
use crate::start::until_reached;
use crate::status::WorkerStatus;

/// How a worker works. The defaults are meant to be right for nearly everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Its name, 1 to 64 bytes, unique among living workers. Default: host, process and a
    /// random part.
    pub id: String,
    /// The queues it takes from. Default: all.
    pub queues: QueueSelection,
    /// In which order it looks at its queues. Default: by the tasks' priorities, over all queues.
    pub queue_order: QueueOrder,
    /// How many tasks run at a time. Default 100.
    pub concurrency: usize,
    /// How many of them are of one queue or one task. Default: no limits beside the concurrency.
    pub limits: ConcurrencyLimits,
    /// The most tasks kept in memory beside the running ones. How many there really are
    /// follows from how quickly tasks end. Default 5000.
    pub prefetch: usize,
    /// How long the worker may be silent before others run its tasks. Default 30 s.
    pub lease: Duration,
    /// How often to look for tasks when nothing announces any. Default 1 s.
    pub interval: Duration,
    /// The longest pause before the first claim. How much of it is waited is random, so that
    /// workers which start together do not all claim at once. Default: none.
    pub startup_delay: Duration,
    /// How long to wait at the start for a store that cannot be reached. Default: not at all, the
    /// program has just opened it.
    pub start_timeout: Duration,
    /// How long running tasks may go on when the worker is asked to stop. Default 30 s.
    pub stop_timeout: Duration,
    /// Whether to end when nothing is due any more. Default no.
    pub batch: bool,
    /// How many tasks to run before ending. Default: no limit.
    pub max_tasks: Option<u64>,
    /// How long finished tasks stay; this worker deletes older ones of its backend, of whatever
    /// queue and whoever ran them. Default: until somebody prunes them.
    pub keep: Option<Duration>,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            id: fresh_id(),
            queues: QueueSelection::default(),
            queue_order: QueueOrder::Priority,
            concurrency: 100,
            limits: ConcurrencyLimits::default(),
            prefetch: 5000,
            lease: Duration::from_secs(30),
            interval: Duration::from_secs(1),
            startup_delay: Duration::ZERO,
            start_timeout: Duration::ZERO,
            stop_timeout: Duration::from_secs(30),
            batch: false,
            max_tasks: None,
            keep: None,
        }
    }
}

impl WorkerOptions {
    /// A random part of the longest pause before the first claim.
    pub(crate) fn startup_pause(&self) -> Duration {
        // The last four bytes of such an id are random.
        let [.., a, b, c, d] = uuid::Uuid::now_v7().into_bytes();
        let part = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
        self.startup_delay.mul_f64(part)
    }
}

/// A name no other worker has: the host, cut to fit, the process, six random digits.
fn fresh_id() -> String {
    let mut host = host_name();
    host.retain(|character| character.is_ascii_alphanumeric() || character == '-' || character == '.');
    host.truncate(40);
    let random = uuid::Uuid::now_v7().simple().to_string();
    format!("{host}-{}-{}", std::process::id(), &random[26..])
}

/// The name of this machine, as workers tell it; `host` where it has none.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .map(|name| name.trim().to_owned())
        .unwrap_or_else(|_| "host".to_owned())
}

/// What a worker did between start and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Attempts that began.
    pub started: u64,
    /// Tasks that ended with a value.
    pub succeeded: u64,
    /// Tasks that ended without one.
    pub failed: u64,
    /// Attempts that failed and will be repeated.
    pub retried: u64,
    /// Tasks that ended because somebody wanted it.
    pub canceled: u64,
    /// Tasks that were claimed and given back.
    pub given_back: u64,
}

impl Summary {
    /// What was counted since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            started: self.started - before.started,
            succeeded: self.succeeded - before.succeeded,
            failed: self.failed - before.failed,
            retried: self.retried - before.retried,
            canceled: self.canceled - before.canceled,
            given_back: self.given_back - before.given_back,
        }
    }

    /// Counts what another worker did as well.
    pub(crate) fn add(&mut self, other: Self) {
        self.started += other.started;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.retried += other.retried;
        self.canceled += other.canceled;
        self.given_back += other.given_back;
    }
}

/// Runs the tasks of one backend.
#[derive(Debug)]
pub struct Worker {
    alias: Arc<BackendAlias>,
    registry: Registry,
    options: WorkerOptions,
    status: WorkerStatus,
}

impl Worker {
    /// A worker on this backend that knows these tasks.
    ///
    /// # Errors
    /// - [`ErrorKind::Registry`]: it knows no task at all, or one goes to a queue of this
    ///   backend that the settings do not list.
    /// - [`ErrorKind::Unsupported`]: no worker can work on this backend.
    /// - [`ErrorKind::Settings`]: an option out of range, a limit or a place in the order for a queue or a
    ///   task that the worker does not take.
    pub fn new(alias: Arc<BackendAlias>, registry: Registry, options: WorkerOptions) -> Result<Self> {
        if registry.is_empty() {
            return Err(
                Error::new(ErrorKind::Registry, "no task is registered in this program").hint(
                    "name the crates that have tasks: worker! { tasks = [your_crate] }. \
                 A crate that is mentioned nowhere is not linked, and its tasks with it",
                ),
            );
        }
        if alias.backend().queue().is_none() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "no worker can work on the {} backend `{}`",
                    alias.backend().kind(),
                    alias.name()
                ),
            )
            .hint("set another `backend` in tasks.toml, such as sqlite"));
        }
        for entry in registry
            .iter()
            .filter(|entry| entry.default_backend() == alias.name())
        {
            alias.check_queue(entry.default_queue()).map_err(|error| {
                let (file, line) = entry.place();
                error.at(format!("task `{}` in {file}:{line}", entry.name()))
            })?;
        }
        check_options(&options)?;
        limits::check(&options, &registry)?;
        Ok(Self {
            alias,
            registry,
            options,
            status: WorkerStatus::new(),
        })
    }

    /// The same worker, seen through a handle that was made before. A handle is for one worker.
    #[must_use]
    pub fn with_status(self, status: WorkerStatus) -> Self {
        Self { status, ..self }
    }

    /// Looks at this worker while it works and afterwards.
    pub fn status(&self) -> WorkerStatus {
        self.status.clone()
    }

    /// Works until it is asked to stop, or has done what the options limit it to.
    ///
    /// A store that cannot be reached does not end it: it waits, tries again and delivers
    /// what it had finished.
    ///
    /// # Errors
    /// What keeps it from starting: a living worker of the same name, a store that refuses.
    pub async fn run(self, shutdown: Shutdown) -> Result<Summary> {
        Ok(self.run_to_end(shutdown).await?.0)
    }

    /// As [`Worker::run`]; besides, in how long the next scheduled task is due, as far as the
    /// worker knew when it last asked.
    pub(crate) async fn run_to_end(self, shutdown: Shutdown) -> Result<(Summary, Option<Duration>)> {
        let info = WorkerInfo {
            id: self.options.id.clone(),
            host: host_name(),
            pid: std::process::id(),
            queues: self.options.queues.to_string(),
            concurrency: self.options.concurrency,
            lease: self.options.lease,
        };
        tracing::info!(
            worker = %info.id,
            backend = self.alias.name(),
            queues = %info.queues,
            concurrency = info.concurrency,
            tasks = self.registry.len(),
            "worker starts"
        );
        self.status
            .meter()
            .introduce(&info, self.alias.name(), &self.registry);
        let Some(fetcher) = self.join(info, &shutdown).await? else {
            return Ok((Summary::default(), None));
        };
        // As a task of its own it runs on the same threads as what it wakes.
        let mut working = JoinSet::new();
        working.spawn(fetcher.run(shutdown));
        let ended = || Error::new(ErrorKind::State, "the worker was ended with its runtime");
        let (summary, next_due) = working
            .join_next()
            .await
            .ok_or_else(ended)?
            .map_err(|error| ended().because(error))?;
        tracing::info!(?summary, "worker ended");
        Ok((summary, next_due))
    }

    /// Joins the store, waiting for it where that is wanted; `None` when the worker was asked to
    /// end before.
    async fn join(self, info: WorkerInfo, shutdown: &Shutdown) -> Result<Option<Fetcher>> {
        let runner = Runner::new(self.alias.clone());
        let joined = until_reached(self.options.start_timeout, &self.status, shutdown, || {
            let (runner, info, asked) = (runner.clone(), info.clone(), Instant::now());
            async move { Ok((runner.queue()?.join(&info).await?, asked)) }
        });
        let Some((key, asked)) = joined.await? else {
            tracing::info!("asked to end before it joined");
            return Ok(None);
        };
        let meter = self.status.meter().clone();
        meter.renewed(asked, self.options.lease);
        Ok(Some(Fetcher::new(
            self.alias,
            self.registry,
            self.options,
            info,
            key,
            meter,
        )))
    }
}

fn check_options(options: &WorkerOptions) -> Result<()> {
    let wrong = if options.id.is_empty() || options.id.len() > 64 {
        "a worker id has 1 to 64 bytes"
    } else if options.id.chars().any(char::is_control) {
        "a worker id has no control characters"
    } else if options.concurrency == 0 {
        "a concurrency of 0 would run nothing"
    } else if options.lease < Duration::from_millis(100) {
        "a lease shorter than 100 ms is lost before it can be renewed"
    } else if options.interval.is_zero() {
        "an interval of 0 would be a busy loop"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Settings, wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_id_fits_and_differs() {
        let (one, other) = (fresh_id(), fresh_id());
        assert!(one.len() <= 64 && !one.is_empty());
        assert_ne!(one, other);
    }

    #[test]
    fn the_pause_before_the_first_claim_is_a_random_part_of_the_longest() {
        let longest = Duration::from_secs(1);
        let options = WorkerOptions {
            startup_delay: longest,
            ..WorkerOptions::default()
        };
        let pauses: Vec<Duration> = (0..100).map(|_| options.startup_pause()).collect();
        assert!(pauses.iter().all(|pause| *pause <= longest));
        // A hundred of them lie apart: not one quarter of the second is without any.
        for quarter in 0..4 {
            let from = quarter * longest / 4;
            assert!(
                pauses
                    .iter()
                    .any(|pause| (from..=from + longest / 4).contains(pause)),
                "{quarter}: {pauses:?}"
            );
        }
        assert_eq!(WorkerOptions::default().startup_pause(), Duration::ZERO);
    }
}
