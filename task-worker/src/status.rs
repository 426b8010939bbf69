//! What a worker is doing, for whoever wants to know: a probe, a page of metrics, a program
//! that runs it inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::histogram::Histogram;
use crate::meter::{Meter, WorkerState};
use crate::worker::Summary;

/// How long the loop of a worker may stand still before it counts as hung. It goes round at
/// least twice a second.
pub const LIVE_WITHIN: Duration = Duration::from_secs(10);

/// Looks at one worker. Cheap to clone, usable from any thread, before the worker starts and
/// after it ended. Reading takes the worker's own lock for a few nanoseconds; writing takes none.
///
/// ```no_run
/// use task_core::{Backends, Registry};
/// use task_worker::{Shutdown, Worker, WorkerOptions};
///
/// # async fn example() -> task_core::Result<()> {
/// let alias = Backends::global()?.get("default")?.clone();
/// let worker = Worker::new(alias, Registry::collected()?, WorkerOptions::default())?;
/// let status = worker.status();
/// let shutdown = Shutdown::new();
/// let working = tokio::spawn(worker.run(shutdown.clone()));
///
/// let now = status.snapshot();
/// println!("{}: {} of {} slots run tasks", now.state.as_str(), now.busy, now.slots);
///
/// shutdown.stop();
/// working.await.expect("it does not panic")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct WorkerStatus(Arc<Meter>);

/// A worker at one moment. Counters begin with the worker.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSnapshot {
    /// Its name; empty before it began to start.
    pub worker: String,
    /// The alias it works on; empty before it began to start.
    pub backend: String,
    /// The queues it takes from, in words.
    pub queues: String,
    /// What it is doing.
    pub state: WorkerState,
    /// How long ago its loop last went round.
    pub loop_age: Duration,
    /// How long ago the store last answered it; `None` when it never did.
    pub store_age: Option<Duration>,
    /// How long its lease still runs, zero when it ran out; `None` without a lease: before it
    /// joined, and after the lease was lost until it joined again.
    pub lease_left: Option<Duration>,
    /// How many tasks it runs at a time.
    pub slots: usize,
    /// How many of them run now.
    pub busy: usize,
    /// Tasks that wait in its memory.
    pub backlog: usize,
    /// Claims that the store answered, also with nothing.
    pub claims: u64,
    /// Tasks that those brought.
    pub claimed: u64,
    /// What became of them.
    pub totals: Summary,
    /// Ends that the store refused, since the lease had been lost.
    pub refused: u64,
    /// Leases that were lost.
    pub lost_leases: u64,
    /// Calls that the store did not answer, or answered with an error.
    pub store_errors: u64,
    /// How often the store answered again after such an error.
    pub reconnects: u64,
    /// How long claims took.
    pub claim_times: Histogram,
    /// How long it took to write down how tasks ended, a batch at a time.
    pub finish_times: Histogram,
    /// The numbers of each task the program knows, sorted by name, those that never ran left
    /// out. Beyond 200 tasks the rest are counted together as `(others)`.
    pub tasks: Vec<TaskTotals>,
}

/// What became of one task's attempts in this worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTotals {
    /// The stored name.
    pub name: &'static str,
    /// Ended with a value.
    pub succeeded: u64,
    /// Ended without one, for good.
    pub failed: u64,
    /// Failed, and will be repeated.
    pub retried: u64,
    /// Ended because somebody wanted it.
    pub canceled: u64,
    /// How long the attempts took.
    pub times: Histogram,
}

impl WorkerStatus {
    /// Of a worker that is still to be made: see [`Worker::with_status`](crate::Worker::with_status).
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.0
    }

    /// What it is doing.
    pub fn state(&self) -> WorkerState {
        self.0.state()
    }

    /// Whether the worker moves: its loop went round within [`LIVE_WITHIN`]. Stays `Ok` while
    /// the store is away, and while it starts or stops.
    ///
    /// # Errors
    /// The reason, as a sentence for people.
    pub fn live(&self) -> Result<(), String> {
        let age = self.0.beat_age();
        if self.state() == WorkerState::Ended {
            Err("the worker has ended".to_owned())
        } else if age > LIVE_WITHIN {
            Err(format!("the worker's loop has not moved for {} s", age.as_secs()))
        } else {
            Ok(())
        }
    }

    /// Whether the worker takes tasks: it lives, has joined, is neither quiet nor stopping, holds
    /// its lease, and reached the store within two thirds of the lease's length.
    ///
    /// # Errors
    /// The reason, as a sentence for people.
    pub fn ready(&self) -> Result<(), String> {
        self.live()?;
        match self.state() {
            WorkerState::Running => {}
            WorkerState::Starting => return Err("the worker has not joined the store yet".to_owned()),
            WorkerState::Quiet => return Err("the worker is quiet: it claims nothing more".to_owned()),
            WorkerState::Stopping | WorkerState::Ended => return Err("the worker stops".to_owned()),
        }
        match self.0.lease_left() {
            None => return Err("the lease was lost, the worker joins again".to_owned()),
            Some(Duration::ZERO) => return Err("the lease ran out without being renewed".to_owned()),
            Some(_) => {}
        }
        let bound = self.0.who.get().map_or(Duration::MAX, |who| who.lease / 3 * 2);
        match self.0.contact_age() {
            Some(age) if age <= bound => Ok(()),
            age => Err(format!(
                "the store last answered {} s ago",
                age.unwrap_or_default().as_secs()
            )),
        }
    }

    /// Everything, as it is now.
    pub fn snapshot(&self) -> WorkerSnapshot {
        let meter = &*self.0;
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let who = meter.who.get();
        let slots = who.map_or(0, |who| who.slots);
        let load = meter.slots.get().map(crate::slots::Slots::load);
        let (store_errors, reconnects) = meter.store_errors();
        let tasks = meter.tasks().iter().map(|task| TaskTotals {
            name: task.name,
            succeeded: read(&task.succeeded),
            failed: read(&task.failed),
            retried: read(&task.retried),
            canceled: read(&task.canceled),
            times: task.times.read(),
        });
        WorkerSnapshot {
            worker: who.map(|who| who.worker.clone()).unwrap_or_default(),
            backend: who.map(|who| who.backend.clone()).unwrap_or_default(),
            queues: who.map(|who| who.queues.clone()).unwrap_or_default(),
            state: meter.state(),
            loop_age: meter.beat_age(),
            store_age: meter.contact_age(),
            lease_left: meter.lease_left(),
            slots,
            busy: load.map_or(0, |load| load.running),
            backlog: load.map_or(0, |load| load.waiting),
            claims: read(&meter.claims),
            claimed: read(&meter.claimed),
            totals: meter.summary(),
            refused: read(&meter.refused),
            lost_leases: read(&meter.lost_leases),
            store_errors,
            reconnects,
            claim_times: meter.claim_times.read(),
            finish_times: meter.finish_times.read(),
            tasks: tasks.filter(|task| task.times.count() > 0).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_worker_is_ready_from_joining_until_it_stops_or_loses_its_lease() {
        let status = WorkerStatus::new();
        let reason = |status: &WorkerStatus| status.ready().expect_err("not ready");
        assert!(reason(&status).contains("not joined"));
        status.live().expect("it starts");
        let meter = status.meter();
        meter.enter(WorkerState::Running);
        let _ = meter.heard(Ok(()));
        assert!(reason(&status).contains("lease was lost"));
        meter.renewed(Instant::now(), Duration::from_secs(30));
        status.ready().expect("joined");
        meter.lost();
        assert!(reason(&status).contains("joins again"));
        meter.renewed(Instant::now(), Duration::ZERO);
        assert!(reason(&status).contains("ran out"));
        meter.renewed(Instant::now(), Duration::from_secs(30));
        for (state, says) in [
            (WorkerState::Quiet, "quiet"),
            (WorkerState::Stopping, "stops"),
            (WorkerState::Ended, "ended"),
        ] {
            meter.enter(state);
            assert!(reason(&status).contains(says), "{state:?}");
            assert_eq!(status.live().is_err(), state == WorkerState::Ended);
        }
    }
}
