//! What a worker writes about itself while it works: numbers that anybody may read at any
//! time, and that cost the worker a few instructions.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use task_core::{Error, ErrorKind, Registry, Result, WorkerInfo};

use crate::histogram::Times;
use crate::slots::Slots;
use crate::worker::Summary;

/// With more tasks than this in a program, the rest are counted under [`OTHERS`].
const MOST_NAMES: usize = 200;

/// The name of the tasks beyond those that are counted by name.
const OTHERS: &str = "(others)";

/// A moment that did not come yet.
const NEVER: u64 = 0;

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum WorkerState {
    /// It has not joined the store yet.
    Starting,
    /// It claims tasks and runs them.
    Running,
    /// It runs what it has and claims nothing more.
    Quiet,
    /// It ends when what it runs has ended, or its patience.
    Stopping,
    /// It has ended.
    Ended,
}

impl WorkerState {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 5] = [
        Self::Starting,
        Self::Running,
        Self::Quiet,
        Self::Stopping,
        Self::Ended,
    ];

    /// The state in a word, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Quiet => "quiet",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        }
    }
}

/// The numbers themselves.
#[derive(Debug)]
pub(crate) struct Meter {
    born: Instant,
    state: AtomicU8,
    /// Who works, as soon as that is known.
    pub(crate) who: OnceLock<Who>,
    /// What the slots hold, as soon as there are any.
    pub(crate) slots: OnceLock<Slots>,

    /// When the loop last went round, when the store last answered, and until when the lease
    /// runs: microseconds since `born`.
    beat: AtomicU64,
    contact: AtomicU64,
    lease_until: AtomicU64,
    is_failing: AtomicBool,

    pub(crate) claims: AtomicU64,
    pub(crate) claimed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) lost_leases: AtomicU64,
    store_errors: AtomicU64,
    reconnects: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
    canceled: AtomicU64,
    given_back: AtomicU64,
    pub(crate) claim_times: Times,
    pub(crate) finish_times: Times,
    tasks: OnceLock<TaskMeters>,
}

/// Whose numbers these are.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) worker: String,
    pub(crate) backend: String,
    pub(crate) queues: String,
    pub(crate) slots: usize,
    pub(crate) lease: Duration,
}

#[derive(Debug)]
struct TaskMeters {
    positions: HashMap<&'static str, usize>,
    meters: Vec<TaskMeter>,
}

/// The numbers of one task.
#[derive(Debug, Default)]
pub(crate) struct TaskMeter {
    pub(crate) name: &'static str,
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) canceled: AtomicU64,
    pub(crate) times: Times,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            born: Instant::now(),
            state: AtomicU8::new(WorkerState::Starting as u8),
            who: OnceLock::new(),
            slots: OnceLock::new(),
            beat: AtomicU64::new(NEVER),
            contact: AtomicU64::new(NEVER),
            lease_until: AtomicU64::new(NEVER),
            is_failing: AtomicBool::new(false),
            claims: AtomicU64::new(0),
            claimed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            lost_leases: AtomicU64::new(0),
            store_errors: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            canceled: AtomicU64::new(0),
            given_back: AtomicU64::new(0),
            claim_times: Times::default(),
            finish_times: Times::default(),
            tasks: OnceLock::new(),
        }
    }
}

impl Meter {
    /// Says whose numbers these are, and which tasks are counted by name.
    pub(crate) fn introduce(&self, info: &WorkerInfo, backend: &str, registry: &Registry) {
        // Once: a handle belongs to one worker.
        let _ = self.who.set(Who {
            worker: info.id.clone(),
            backend: backend.to_owned(),
            queues: info.queues.clone(),
            slots: info.concurrency,
            lease: info.lease,
        });
        let names = registry.iter().take(MOST_NAMES).map(|entry| entry.name());
        let meters: Vec<TaskMeter> = names
            .chain([OTHERS])
            .map(|name| TaskMeter {
                name,
                ..TaskMeter::default()
            })
            .collect();
        let positions = meters.iter().enumerate().map(|(at, meter)| (meter.name, at));
        let _ = self.tasks.set(TaskMeters {
            positions: positions.collect(),
            meters,
        });
    }

    fn now(&self) -> u64 {
        // Never 0, which means never.
        u64::try_from(self.born.elapsed().as_micros())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }

    /// How long ago that was; `None` when it was never.
    fn age(&self, moment: &AtomicU64) -> Option<Duration> {
        match moment.load(Ordering::Relaxed) {
            NEVER => None,
            moment => Some(Duration::from_micros(self.now().saturating_sub(moment))),
        }
    }

    /// The loop goes round.
    pub(crate) fn beat(&self) {
        self.beat.store(self.now(), Ordering::Relaxed);
    }

    /// How long ago the loop last went round, from the beginning of everything if it never did.
    pub(crate) fn beat_age(&self) -> Duration {
        self.age(&self.beat).unwrap_or_else(|| self.born.elapsed())
    }

    pub(crate) fn contact_age(&self) -> Option<Duration> {
        self.age(&self.contact)
    }

    /// For how long the lease still runs, by this machine's clock that never jumps; `None` when
    /// there is none. It was counted from before the store was asked, so the store's runs longer.
    pub(crate) fn lease_left(&self) -> Option<Duration> {
        match self.lease_until.load(Ordering::Relaxed) {
            NEVER => None,
            until => Some(Duration::from_micros(until.saturating_sub(self.now()))),
        }
    }

    /// The store took or renewed the lease, and was asked at this moment.
    pub(crate) fn renewed(&self, asked: Instant, lease: Duration) {
        let until = asked.saturating_duration_since(self.born) + lease;
        let until = u64::try_from(until.as_micros()).unwrap_or(u64::MAX);
        self.lease_until.store(until.max(1), Ordering::Relaxed);
    }

    /// The lease is lost. The heartbeat and a claim may both say so: it counts once.
    pub(crate) fn lost(&self) {
        if self.lease_until.swap(NEVER, Ordering::Relaxed) != NEVER {
            self.lost_leases.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn state(&self) -> WorkerState {
        WorkerState::ALL[usize::from(self.state.load(Ordering::Relaxed)) % WorkerState::ALL.len()]
    }

    pub(crate) fn enter(&self, state: WorkerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// The store answered, or did not; whatever it answered is passed on.
    pub(crate) fn heard<T>(&self, answer: Result<T>) -> Result<T> {
        self.answered(answer.as_ref().err());
        answer
    }

    /// The store answered, or with this error. That it gave the worker up is an answer.
    pub(crate) fn answered(&self, error: Option<&Error>) {
        match error {
            Some(error) if error.kind() != ErrorKind::State => self.missed(),
            _ => self.reached(),
        }
    }

    fn reached(&self) {
        self.contact.store(self.now(), Ordering::Relaxed);
        if self.is_failing.load(Ordering::Relaxed) && self.is_failing.swap(false, Ordering::Relaxed) {
            self.reconnects.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn missed(&self) {
        self.store_errors.fetch_add(1, Ordering::Relaxed);
        self.is_failing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn store_errors(&self) -> (u64, u64) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (read(&self.store_errors), read(&self.reconnects))
    }

    /// What became of tasks until now.
    pub(crate) fn publish(&self, summary: &Summary) {
        for (number, value) in [
            (&self.succeeded, summary.succeeded),
            (&self.failed, summary.failed),
            (&self.retried, summary.retried),
            (&self.canceled, summary.canceled),
            (&self.given_back, summary.given_back),
        ] {
            number.store(value, Ordering::Relaxed);
        }
    }

    /// What became of tasks, as a worker sums it up in the end.
    pub(crate) fn summary(&self) -> Summary {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Summary {
            started: self.slots.get().map_or(0, |slots| slots.load().started),
            succeeded: read(&self.succeeded),
            failed: read(&self.failed),
            retried: read(&self.retried),
            canceled: read(&self.canceled),
            given_back: read(&self.given_back),
        }
    }

    /// The numbers of the task of this name.
    pub(crate) fn task(&self, name: &str) -> Option<&TaskMeter> {
        let tasks = self.tasks.get()?;
        let position = tasks.positions.get(name).copied();
        tasks.meters.get(position.unwrap_or(tasks.meters.len() - 1))
    }

    /// The numbers of all tasks.
    pub(crate) fn tasks(&self) -> &[TaskMeter] {
        self.tasks.get().map_or(&[], |tasks| &tasks.meters)
    }
}

impl TaskMeter {
    /// An attempt ended so, after this time.
    pub(crate) fn add(&self, ended: &Summary, took: Duration) {
        for (number, more) in [
            (&self.succeeded, ended.succeeded),
            (&self.failed, ended.failed),
            (&self.retried, ended.retried),
            (&self.canceled, ended.canceled),
        ] {
            if more > 0 {
                number.fetch_add(more, Ordering::Relaxed);
            }
        }
        self.times.add(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_answers_again_was_reconnected_once() {
        let meter = Meter::default();
        let away = || Err::<(), _>(Error::new(ErrorKind::Unavailable, "away"));
        assert_eq!(meter.contact_age(), None);
        let _ = meter.heard(Ok(()));
        assert_eq!(meter.store_errors(), (0, 0));
        for _ in 0..3 {
            let _ = meter.heard(away());
        }
        let _ = (meter.heard(Ok(())), meter.heard(Ok(())));
        assert_eq!(meter.store_errors(), (3, 1));
        assert!(meter.contact_age().is_some());
    }

    #[test]
    fn a_lease_counts_from_before_the_store_was_asked() {
        let meter = Meter::default();
        assert_eq!(meter.lease_left(), None);
        let asked = Instant::now();
        meter.renewed(asked, Duration::from_secs(60));
        let left = meter.lease_left().expect("a lease");
        assert!(
            left <= Duration::from_secs(60) && left > Duration::from_secs(50),
            "{left:?}"
        );
        meter.lost();
        assert_eq!(meter.lease_left(), None);
    }
}
