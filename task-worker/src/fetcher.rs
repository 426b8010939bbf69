//! The one loop that decides: what to start, what to claim, what to write down, when to
//! end. Everything else only carries out.

mod answers;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{
    BackendAlias, CancelReason, ClaimRequest, FailureKind, GivenBack, Paused, Progress, Registry,
    TaskFailure, Wake, WorkerInfo, WorkerKey,
};
use tokio::time::MissedTickBehavior;

use crate::errand::{Errand, Runner, Unwritten, end_of, pause, pause_after};
use crate::executor::Executor;
use crate::heartbeat::Pulse;
use crate::helpers::Helpers;
use crate::meter::{Meter, WorkerState};
use crate::pace::Pace;
use crate::plan::{Choice, Plan};
use crate::settled::{Settled, settle};
use crate::shutdown::{Phase, Shutdown};
use crate::slots::Slots;
use crate::worker::{Summary, WorkerOptions};

/// How often to look whether what was fetched ahead starts at all: what did not between two
/// looks goes back.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a worker that was forced tries to give its tasks back.
const FORCED_PATIENCE: Duration = Duration::from_secs(5);

/// How long tasks may go on that were told to end because the worker makes way.
const MAKING_WAY_PATIENCE: Duration = Duration::from_secs(2);

/// A worker at work.
pub(crate) struct Fetcher {
    alias: Arc<BackendAlias>,
    plan: Plan,
    options: WorkerOptions,
    info: WorkerInfo,
    runner: Runner,
    slots: Slots,
    helpers: Helpers,
    meter: Arc<Meter>,

    key: WorkerKey,
    /// The lease is lost; join again before anything else.
    is_lost: bool,

    /// Ends that the store did not take yet.
    unwritten: Option<Unwritten>,
    given_back: Vec<GivenBack>,
    /// Tasks that the store did not take back yet.
    unreturned: Option<Arc<Vec<GivenBack>>>,
    failures: u32,

    pace: Pace,
    wake: Wake,
    /// A claim is under way, for this: what it brings must not be dropped.
    claiming: Option<Choice>,
    /// The store is asked to say when there is something.
    is_waiting: bool,

    /// How many tasks had started at the last look, if tasks waited in memory then.
    seen_waiting: Option<u64>,

    /// Nothing more is claimed.
    is_quiet: bool,
    is_stopping: bool,
    /// What is told to end goes back as it was.
    makes_way: bool,
    summary: Summary,
}

impl Fetcher {
    /// Starts the slots, the heartbeat and the rescuer of a worker that has just joined.
    pub(crate) fn new(
        alias: Arc<BackendAlias>,
        registry: Registry,
        options: WorkerOptions,
        info: WorkerInfo,
        key: WorkerKey,
        meter: Arc<Meter>,
    ) -> Self {
        let plan = Plan::new(&options, &registry);
        let slots = Slots::new(options.concurrency, plan.cells());
        slots.open();
        let _ = meter.slots.set(slots.clone());
        let executor = Executor {
            registry: Arc::new(registry),
            worker_id: info.id.as_str().into(),
            limits: alias.limits(),
            slots: slots.clone(),
        };
        let helpers = Helpers::start(&alias, key, &options, &executor, &meter);
        Self {
            plan,
            runner: Runner::new(alias.clone()),
            slots,
            helpers,
            meter,
            key,
            is_lost: false,
            unwritten: None,
            given_back: Vec::new(),
            unreturned: None,
            failures: 0,
            pace: Pace::new(options.prefetch, Instant::now()),
            wake: Wake::default(),
            claiming: None,
            is_waiting: false,
            seen_waiting: None,
            is_quiet: false,
            is_stopping: false,
            makes_way: false,
            summary: Summary::default(),
            alias,
            options,
            info,
        }
    }

    /// Works until there is nothing left to do; says what was done, and in how long the next
    /// scheduled task is due.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> (Summary, Option<Duration>) {
        let mut phases = shutdown.watch();
        let paused = self.runner.paused(self.key, self.options.lease).await;
        self.plan.set_paused(&paused);
        let slots = self.slots.clone();
        // Two things may be under way with the store: what ended, and what comes next. A
        // store that writes through one connection puts them into one transaction.
        let (mut telling, mut asking) = (None, Some(pause(self.options.startup_pause())));
        let mut patience = pin!(tokio::time::sleep(Duration::MAX));
        let mut is_forced = false;
        let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The phase may have changed before this loop began to watch it.
        let mut phase = shutdown.phase();
        self.meter.enter(WorkerState::Running);
        loop {
            self.meter.beat();
            match phase {
                Phase::Quiet if !self.is_quiet => self.quiet(),
                Phase::MakingWay if !self.is_stopping => {
                    let patience_with_it = self.make_way();
                    patience
                        .as_mut()
                        .reset(tokio::time::Instant::now() + patience_with_it);
                }
                Phase::Stopping if !self.is_stopping => {
                    patience
                        .as_mut()
                        .reset(tokio::time::Instant::now() + self.options.stop_timeout);
                    self.stop();
                }
                Phase::Forced if !is_forced => {
                    patience
                        .as_mut()
                        .reset(tokio::time::Instant::now() + FORCED_PATIENCE);
                    is_forced = true;
                    self.interrupt();
                }
                Phase::Running | Phase::Quiet | Phase::MakingWay | Phase::Stopping | Phase::Forced => {}
            }
            // Before deciding, so that what changes meanwhile is not missed.
            let seen = slots.changes();
            if telling.is_none() {
                telling = self.tell();
            }
            if self.is_waiting && self.choose().is_some() {
                // What there was to claim was over its limit, and no longer is.
                self.is_waiting = false;
                asking = None;
            }
            if asking.is_none() {
                asking = self.ask();
            }
            if telling.is_none() && self.claiming.is_none() && self.slots.is_empty() {
                if self.is_stopping {
                    break;
                }
                if self.has_done_its_share() {
                    self.stop();
                    continue;
                }
            }
            tokio::select! {
                // While something is told, what ends meanwhile goes with the next telling.
                () = slots.news(seen), if telling.is_none() => {}
                Some(report) = end_of(&mut telling) => { telling = None; self.hear(report); }
                Some(report) = end_of(&mut asking) => { asking = None; self.hear(report); }
                Some(pulse) = self.helpers.pulse() => self.feel(pulse),
                _ = looks.tick() => self.look_at_the_backlog(),
                Ok(()) = phases.changed() => phase = *phases.borrow_and_update(),
                () = &mut patience => {
                    if is_forced {
                        tracing::warn!("the store took nothing back in time; it hands the tasks on when the lease runs out");
                        break;
                    }
                    tracing::warn!("giving back what did not end in time");
                    phase = Phase::Forced;
                }
            }
        }
        if self.unwritten.is_none() && self.unreturned.is_none() && self.given_back.is_empty() {
            self.runner.leave(self.key).await;
        }
        self.summary.started = self.slots.load().started;
        self.meter.enter(WorkerState::Ended);
        (self.summary, self.plan.next_due())
    }

    /// What to tell the store next.
    fn tell(&mut self) -> Option<Errand> {
        if let Some(errand) = self.bring_back() {
            return Some(errand);
        }
        let unwritten = match self.unwritten.take() {
            Some(unwritten) => unwritten,
            None => self.collect(),
        };
        if !self.given_back.is_empty() || unwritten.progress.is_empty() {
            self.unwritten = Some(unwritten).filter(|unwritten| !unwritten.progress.is_empty());
            return self.bring_back();
        }
        Some(self.runner.clone().finish(unwritten, pause_after(self.failures)))
    }

    /// Brings tasks back to the store, if there are any: those that it did not take before first.
    fn bring_back(&mut self) -> Option<Errand> {
        let given_back = &mut self.given_back;
        let new = || (!given_back.is_empty()).then(|| Arc::new(std::mem::take(given_back)));
        let tasks = self.unreturned.take().or_else(new)?;
        Some(self.runner.clone().give_back(tasks, pause_after(self.failures)))
    }

    /// What to ask the store for next: tasks, or to be woken when there are any.
    fn ask(&mut self) -> Option<Errand> {
        if self.is_stopping {
            return None;
        }
        let pause = pause_after(self.failures);
        if self.is_lost {
            return Some(self.runner.clone().join(self.info.clone(), pause));
        }
        if self.is_quiet {
            return None;
        }
        if !self.may_claim() {
            let timeout = self.plan.next_due().unwrap_or(Duration::MAX);
            let timeout = timeout.min(self.options.interval);
            self.is_waiting = true;
            return Some(self.runner.clone().wait(self.wake, timeout));
        }
        let (choice, starting) = self.choose()?;
        self.plan.asked(choice.cell);
        self.claiming = Some(choice);
        let (queues, names) = self.plan.taking(choice.cell);
        let request = ClaimRequest {
            worker: self.key,
            queues,
            names,
            limit: choice.limit,
            starting,
        };
        Some(self.runner.clone().claim(request, pause))
    }

    /// Takes what ended and how far batches were started.
    fn collect(&mut self) -> Unwritten {
        let (ended, started) = self.slots.take_ended();
        self.pace.ended(ended.len(), Instant::now());
        let mut progress = Progress::new(Vec::with_capacity(ended.len()), started);
        let mut records = Vec::new();
        for ended in ended {
            let (name, took, before) = (ended.name, ended.took, self.summary);
            match settle(ended, &self.info.id, self.makes_way, &mut self.summary) {
                Settled::Ended(finish, record) => {
                    progress.finished.push(finish);
                    records.extend(record);
                }
                Settled::Interrupted(task) => self.given_back.push(task),
            }
            if let Some(meter) = name.and_then(|name| self.meter.task(name)) {
                meter.add(&self.summary.since(before), took);
            }
        }
        self.meter.publish(&self.summary);
        Unwritten {
            progress: Arc::new(progress),
            records: Arc::new(records),
        }
    }

    /// Whether a claim may bring something that may start.
    fn may_claim(&self) -> bool {
        self.plan.may_claim(&self.slots.held())
    }

    /// What to claim now, if anything, and how much of it starts at once.
    fn choose(&self) -> Option<(Choice, usize)> {
        let load = self.slots.load();
        let target = load.free + self.pace.prefetch();
        // A small claim costs as much as a large one: ask again when a quarter is used up.
        if load.must_tell || 4 * load.waiting > 3 * target {
            return None;
        }
        let begun = load.started + load.waiting as u64;
        let allowed = self
            .options
            .max_tasks
            .map_or(u64::MAX, |most| most.saturating_sub(begun));
        let limit = (target - load.waiting).min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let choice = self.plan.choose(limit, &self.slots.held(), Instant::now())?;
        Some((choice, load.free.saturating_sub(load.waiting)))
    }

    fn feel(&mut self, pulse: Pulse) {
        match pulse {
            Pulse::Canceled(ids) => {
                for task in self.slots.cancel(&ids) {
                    self.give_back(task.lease, task.record.attempts + 1, task.last_attempt, None);
                }
            }
            Pulse::Paused(paused) => self.pause(&paused),
            Pulse::Doubtful => self.slots.hold(),
            Pulse::Sure => self.slots.go_on(),
            Pulse::Lost => {
                tracing::warn!("the lease was lost: other workers run this one's tasks");
                self.lose();
            }
        }
    }

    /// Takes nothing of what is paused, and gives back what was fetched ahead of it.
    fn pause(&mut self, paused: &Paused) {
        if self.plan.is_without(paused) {
            return;
        }
        tracing::info!(queues = ?paused.queues, tasks = ?paused.tasks, "what is paused has changed");
        for task in self.slots.take_paused(paused) {
            self.give_back(task.lease, task.record.attempts + 1, task.last_attempt, None);
        }
        self.plan.set_paused(paused);
    }

    /// The lease is gone: everything claimed belongs to others. Tasks are told, and
    /// whatever they still return is thrown away.
    fn lose(&mut self) {
        self.is_lost = !self.is_stopping;
        self.meter.lost();
        self.slots.close();
        for running in self.slots.take_running() {
            running.cancellation.cancel(CancelReason::LeaseLost);
        }
    }

    /// Starts nothing more and gives back what has not started.
    fn quiet(&mut self) {
        self.is_quiet = true;
        self.meter.enter(WorkerState::Quiet);
        self.return_backlog();
    }

    /// The same, and ends when what runs has ended.
    fn stop(&mut self) {
        self.quiet();
        self.is_stopping = true;
        self.meter.enter(WorkerState::Stopping);
    }

    /// Starts nothing more and tells what runs to end. Returns how long to wait for that.
    fn make_way(&mut self) -> Duration {
        self.stop();
        self.makes_way = true;
        if self.slots.tell_to_end() {
            self.options.stop_timeout
        } else {
            MAKING_WAY_PATIENCE.min(self.options.stop_timeout)
        }
    }

    /// Tasks that were fetched ahead and do not start, since those before them take longer
    /// than expected, are left to others.
    fn look_at_the_backlog(&mut self) {
        self.pace.ended(0, Instant::now());
        let load = self.slots.load();
        let stands_still = self.seen_waiting == Some(load.started);
        if load.waiting > 0 && stands_still && !self.is_stopping {
            for task in self.slots.take_waiting() {
                self.give_back(task.lease, task.record.attempts + 1, task.last_attempt, None);
            }
            // Nobody else may want them: then they come back when there is room.
            self.plan.wake();
        }
        self.seen_waiting = (load.waiting > 0).then_some(load.started);
    }

    fn return_backlog(&mut self) {
        for task in self.slots.close() {
            self.give_back(task.lease, task.record.attempts + 1, task.last_attempt, None);
        }
    }

    /// Gives back what runs, without waiting for it.
    fn interrupt(&mut self) {
        self.stop();
        for running in self.slots.take_running() {
            running.cancellation.cancel(CancelReason::WorkerStopping);
            let goes_back_as_it_was = self.makes_way && !running.policy.is_at_most_once();
            let interrupted = (!goes_back_as_it_was).then(|| {
                let message = "the worker was stopped before the task had ended";
                let failure = TaskFailure::new(FailureKind::Interrupted, message);
                (running.started_at, failure)
            });
            self.give_back(running.lease, running.attempt, running.last_attempt, interrupted);
        }
        // What ended just now is written down as usual; the rest ends here.
        self.helpers.end_executors();
        self.slots.abandon();
    }

    fn give_back(
        &mut self,
        lease: task_core::Lease,
        attempt: u32,
        last_attempt: u32,
        interrupted: Option<(task_core::Timestamp, TaskFailure)>,
    ) {
        self.summary.given_back += 1;
        self.given_back.push(GivenBack {
            lease,
            attempt,
            last_attempt,
            interrupted,
            snooze: None,
        });
    }

    /// Whether the options say that this was all.
    fn has_done_its_share(&self) -> bool {
        let drained = self.options.batch && (self.is_quiet || !self.may_claim()) && !self.is_lost;
        drained
            || self
                .options
                .max_tasks
                .is_some_and(|most| self.slots.load().started >= most)
    }
}
