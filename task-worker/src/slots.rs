//! What the fetcher and the executors share: the backlog, what runs in which slot, and
//! what has ended. One lock, held only for a few moves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use task_core::{
    CancelReason, CancelToken, Claimed, Lease, Paused, RetryPolicy, TaskFailure, TaskId, TaskRecord,
    Timestamp,
};
use tokio::sync::Notify;

use crate::backlog::Backlog;

/// With so many ends not yet written down nothing new is started: bounds the memory
/// while the store is away.
const MOST_UNWRITTEN: usize = 10_000;

/// What is kept of a task while it runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) lease: Lease,
    pub(crate) attempt: u32,
    pub(crate) last_attempt: u32,
    pub(crate) policy: RetryPolicy,
    pub(crate) started_at: Timestamp,
    pub(crate) started: Instant,
    pub(crate) cancellation: CancelToken,
}

/// A task that came to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) running: Running,
    /// The name it was defined with, where this program knows it.
    pub(crate) name: Option<&'static str>,
    /// How long the attempt took.
    pub(crate) took: Duration,
    pub(crate) outcome: Result<String, TaskFailure>,
    /// By the store's clock: its start there, and what passed since by a clock that never
    /// jumps.
    pub(crate) ended_at: Timestamp,
    /// The record as it ran, where a signal receiver will want it.
    pub(crate) record: Option<TaskRecord>,
}

/// A task that an executor shall start now; it counts as running already.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) record: TaskRecord,
    /// By the store's clock.
    pub(crate) started_at: Timestamp,
    pub(crate) cancellation: CancelToken,
}

/// The slots of a worker. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Wakes the executor of each slot.
    work: Vec<Notify>,
    /// Wakes the fetcher.
    news: Notify,
    /// How many executors are woken for new work at once; those whose task has to wait
    /// wake further ones.
    at_once: usize,
}

struct State {
    backlog: Backlog,
    running: Vec<Option<Running>>,
    /// The cell of the plan that a slot's task is of, until the slot takes the next one: also while
    /// a thread goes on that nothing can end.
    cells: Vec<Option<usize>>,
    /// How many slots have a task of each cell.
    held: Vec<usize>,
    /// Slots whose executor waits for work.
    idle: Vec<usize>,
    ended: Vec<Ended>,
    /// Whether tasks may start.
    is_open: bool,
    /// Whether none starts for now, since others may have them.
    is_held: bool,
    /// The executors were ended by force: nobody comes back to report.
    is_abandoned: bool,
    started: u64,
    /// How often a task ended or a slot became free.
    changes: u64,
    /// Whether the fetcher wants to hear of the next change.
    is_listening: bool,
}

/// What the fetcher must know to decide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Slots without a task.
    pub(crate) free: usize,
    /// Slots with one, also one whose lease was lost.
    pub(crate) running: usize,
    /// Tasks that wait in memory.
    pub(crate) waiting: usize,
    /// Tasks that were started since the beginning.
    pub(crate) started: u64,
    /// Whether a task waits until the store knows that it will start.
    pub(crate) must_tell: bool,
}

impl Slots {
    /// So many empty slots, closed, for tasks of so many cells.
    pub(crate) fn new(slots: usize, cells: usize) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                backlog: Backlog::default(),
                running: (0..slots).map(|_| None).collect(),
                cells: vec![None; slots],
                held: vec![0; cells],
                idle: Vec::new(),
                ended: Vec::new(),
                is_open: false,
                is_held: false,
                is_abandoned: false,
                started: 0,
                changes: 0,
                is_listening: false,
            }),
            work: (0..slots).map(|_| Notify::new()).collect(),
            news: Notify::new(),
            at_once: threads,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here panics while it holds the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- The executors' side ---

    /// Hands in how this slot's task ended and takes the next one; `None` when there is
    /// none: then [`Slots::work`] waits for it.
    pub(crate) fn next(&self, slot: usize, ended: Option<Ended>) -> Option<Start> {
        let mut state = self.state();
        let has_ended = ended.is_some();
        state.ended.extend(ended);
        state.release(slot);
        let start = state.take(slot);
        if start.is_none() {
            state.idle.push(slot);
        }
        if has_ended || start.is_none() {
            self.report(&mut state);
        }
        start
    }

    /// Hands in how this slot's task ended without taking another one.
    pub(crate) fn hand_in(&self, ended: Ended) {
        let mut state = self.state();
        state.ended.push(ended);
        self.report(&mut state);
    }

    /// Something changed that the fetcher may want to hear.
    fn report(&self, state: &mut State) {
        state.changes += 1;
        if std::mem::take(&mut state.is_listening) {
            self.0.news.notify_one();
        }
    }

    /// Takes back what ran in this slot; `None` when its lease was lost meanwhile.
    pub(crate) fn end(&self, slot: usize) -> Option<Running> {
        self.state().running[slot].take()
    }

    /// Waits until there may be a task for this slot.
    pub(crate) async fn work(&self, slot: usize) {
        self.0.work[slot].notified().await;
    }

    /// The task of a slot has to wait for something: another slot takes over what is in
    /// the backlog.
    pub(crate) fn pass_on(&self) {
        let mut state = self.state();
        if state.backlog.len() > 0 {
            self.wake(&mut state, 1);
        }
    }

    fn wake(&self, state: &mut State, slots: usize) {
        for _ in 0..slots {
            let Some(slot) = state.idle.pop() else { return };
            self.0.work[slot].notify_one();
        }
    }

    // --- The fetcher's side ---

    /// How often something changed: to be looked at before deciding, for [`Slots::news`].
    pub(crate) fn changes(&self) -> u64 {
        self.state().changes
    }

    /// Waits until a task ended or a slot became free since there were so many changes.
    pub(crate) async fn news(&self, seen: u64) {
        {
            let mut state = self.state();
            if state.changes != seen {
                return;
            }
            state.is_listening = true;
        }
        self.0.news.notified().await;
    }

    pub(crate) fn load(&self) -> Load {
        let state = self.state();
        Load {
            free: state.idle.len(),
            // Before anything started the executors may not have come to their slots yet.
            running: match state.started {
                0 => 0,
                _ if state.is_abandoned => 0,
                _ => state.running.len() - state.idle.len(),
            },
            waiting: state.backlog.len(),
            started: state.started,
            must_tell: state.must_tell(),
        }
    }

    /// How many tasks of each cell are here: that wait, run, or left a thread behind.
    pub(crate) fn held(&self) -> Vec<usize> {
        let state = self.state();
        let mut held = state.held.clone();
        state.backlog.count(&mut held);
        held
    }

    /// Whether nothing runs (also not for a lease that was lost), waits, or was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state();
        state.backlog.len() == 0
            && state.ended.is_empty()
            && (state.is_abandoned || state.idle.len() == state.running.len())
    }

    /// Adds a batch claimed for a cell, of which the store counts the first `starting` as started.
    pub(crate) fn add(&self, tasks: Vec<Claimed>, starting: usize, cell: usize) {
        let mut state = self.state();
        let count = tasks.len();
        state.backlog.add(tasks, starting, cell, Instant::now());
        self.wake(&mut state, count.min(self.0.at_once));
    }

    /// What ended since the last time, and how far batches were started.
    pub(crate) fn take_ended(&self) -> (Vec<Ended>, Vec<(i64, u32)>) {
        let mut state = self.state();
        let ended = std::mem::take(&mut state.ended);
        if state.backlog.len() > 0 {
            // Some may have waited because too many ends were not written.
            self.wake(&mut state, self.0.at_once);
        }
        (ended, state.backlog.untold())
    }

    /// The store knows how far these batches were started.
    pub(crate) fn told(&self, started: &[(i64, u32)]) {
        let mut state = self.state();
        let waited = state.must_tell();
        state.backlog.told(started);
        if waited {
            self.wake(&mut state, self.0.at_once);
        }
    }

    /// Lets tasks start.
    pub(crate) fn open(&self) {
        let mut state = self.state();
        state.is_open = true;
        state.is_held = false;
        if state.backlog.len() > 0 {
            self.wake(&mut state, self.0.at_once);
        }
    }

    /// Lets nothing start for now.
    pub(crate) fn hold(&self) {
        self.state().is_held = true;
    }

    /// Lets tasks start again after [`Slots::hold`].
    pub(crate) fn go_on(&self) {
        let mut state = self.state();
        state.is_held = false;
        if state.backlog.len() > 0 {
            self.wake(&mut state, self.0.at_once);
        }
    }

    /// Takes out what waits and is paused.
    pub(crate) fn take_paused(&self, paused: &Paused) -> Vec<Claimed> {
        let mut state = self.state();
        state
            .backlog
            .take(|task| paused.includes(&task.record.queue, &task.record.name))
    }

    /// Takes out what waits; what comes later may start.
    pub(crate) fn take_waiting(&self) -> Vec<Claimed> {
        self.state().backlog.empty()
    }

    /// Lets nothing start any more and takes out what waits.
    pub(crate) fn close(&self) -> Vec<Claimed> {
        let mut state = self.state();
        state.is_open = false;
        state.backlog.empty()
    }

    /// Takes out what runs: its lease is lost or given back, its end does not matter.
    pub(crate) fn take_running(&self) -> Vec<Running> {
        self.state().running.iter_mut().filter_map(Option::take).collect()
    }

    /// The executors are ended by force: from here on only what they reported counts.
    pub(crate) fn abandon(&self) {
        self.state().is_abandoned = true;
    }

    /// Tells what runs to end, but for tasks that must not be started again. Returns whether
    /// there are such tasks.
    pub(crate) fn tell_to_end(&self) -> bool {
        let state = self.state();
        let (to_wait_for, to_end): (Vec<_>, Vec<_>) = state
            .running
            .iter()
            .flatten()
            .partition(|running| running.policy.is_at_most_once());
        for running in to_end {
            running.cancellation.cancel(CancelReason::WorkerStopping);
        }
        !to_wait_for.is_empty()
    }

    /// Tells these tasks to end, where they run here, and takes out those that wait.
    pub(crate) fn cancel(&self, ids: &[TaskId]) -> Vec<Claimed> {
        let mut state = self.state();
        for running in state.running.iter().flatten() {
            if ids.contains(&running.lease.id()) {
                running.cancellation.cancel(CancelReason::Requested);
            }
        }
        state.backlog.remove(ids)
    }
}

impl State {
    fn take(&mut self, slot: usize) -> Option<Start> {
        if !self.is_open || self.is_held || self.ended.len() >= MOST_UNWRITTEN {
            return None;
        }
        let (claimed, cell, since) = self.backlog.next()?;
        let Claimed {
            lease,
            record,
            last_attempt,
            claimed_at,
        } = claimed;
        let (started_at, cancellation) = (later(claimed_at, since.elapsed()), CancelToken::new());
        self.started += 1;
        self.held[cell] += 1;
        self.cells[slot] = Some(cell);
        self.running[slot] = Some(Running {
            lease,
            attempt: record.attempts + 1,
            last_attempt,
            policy: record.policy,
            started_at,
            started: Instant::now(),
            cancellation: cancellation.clone(),
        });
        Some(Start {
            record,
            started_at,
            cancellation,
        })
    }

    /// The task of this slot is over, with all its threads.
    fn release(&mut self, slot: usize) {
        if let Some(cell) = self.cells[slot].take() {
            self.held[cell] -= 1;
        }
    }

    fn must_tell(&self) -> bool {
        self.backlog.is_held_back()
    }
}

/// A moment of the store's clock, later by what passed here.
pub(crate) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(moment.as_microsecond().saturating_add(by)).unwrap_or(Timestamp::MAX)
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slots({:?})", self.load())
    }
}
