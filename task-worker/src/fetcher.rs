//! The one loop that decides: what to start, what to claim, what to write down, when to
//! end. Everything else only carries out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{
    AttemptError, BackendAlias, ClaimRequest, Error, ErrorKind, FailureKind, Finish, Finished, GivenBack, Outcome,
    Progress, Registry, Result, TaskFailure, TaskId, TaskRecord, TaskStatus, Wake, WorkerInfo, WorkerKey, signals,
};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::backlog::{Backlog, Next};
use crate::errand::{Errand, Report, Runner, Unwritten, pause_after};
use crate::executor::{Ended, Executor, Running};
use crate::heartbeat::{Pulse, beat};
use crate::pace::Pace;
use crate::rescuer::look_after_others;
use crate::shutdown::{Phase, Shutdown};
use crate::worker::{Summary, WorkerOptions};

/// With so many ends not yet written down nothing new is started: bounds the memory
/// while the store is away.
const MOST_UNWRITTEN: usize = 10_000;

/// How long a worker that was forced tries to give its tasks back.
const FORCED_PATIENCE: Duration = Duration::from_secs(5);

/// A worker at work.
pub(crate) struct Fetcher {
    alias: Arc<BackendAlias>,
    registry: Registry,
    names: Arc<std::collections::HashSet<String>>,
    options: WorkerOptions,
    info: WorkerInfo,
    runner: Runner,
    executor: Executor,
    inbox: Inbox,

    key: WorkerKey,
    heartbeat: AbortHandle,
    rescuer: AbortHandle,
    /// The lease is lost; join again before anything else.
    is_lost: bool,

    backlog: Backlog,
    running: HashMap<u64, Running>,
    runs: u64,
    /// Runs whose lease was lost and whose end does not matter any more.
    orphans: usize,
    /// Ends since the last exchange.
    progress: Progress,
    records: Vec<TaskRecord>,
    /// Ends that the store did not take yet.
    unwritten: Option<Unwritten>,
    given_back: Vec<GivenBack>,
    failures: u32,

    pace: Pace,
    wake: Wake,
    /// Whether a claim may bring something.
    may_claim: bool,
    next_due: Option<Duration>,

    is_stopping: bool,
    summary: Summary,
}

/// What comes in from those who carry out.
struct Inbox {
    ended: mpsc::Receiver<Ended>,
    pulses: mpsc::Receiver<Pulse>,
    pulse_sender: mpsc::Sender<Pulse>,
}

impl Fetcher {
    /// Joins the backend and starts heartbeat and rescuer.
    pub(crate) async fn join(
        alias: Arc<BackendAlias>,
        registry: Registry,
        options: WorkerOptions,
        info: WorkerInfo,
    ) -> Result<Self> {
        let queue = alias.backend().queue().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("no worker can work on backend `{}`", alias.name()))
        })?;
        let key = queue.join(&info).await?;
        let (ended_sender, ended) = mpsc::channel(options.concurrency.max(1024));
        let (pulse_sender, pulses) = mpsc::channel(16);
        let heartbeat = tokio::spawn(beat(alias.clone(), key, options.lease, pulse_sender.clone())).abort_handle();
        let rescuer = tokio::spawn(look_after_others(alias.clone(), options.lease)).abort_handle();
        Ok(Self {
            names: Arc::new(registry.names()),
            runner: Runner::new(alias.clone()),
            executor: Executor { worker_id: info.id.clone(), limits: alias.limits(), ended: ended_sender },
            inbox: Inbox { ended, pulses, pulse_sender },
            key,
            heartbeat,
            rescuer,
            is_lost: false,
            backlog: Backlog::default(),
            running: HashMap::new(),
            runs: 0,
            orphans: 0,
            progress: Progress::default(),
            records: Vec::new(),
            unwritten: None,
            given_back: Vec::new(),
            failures: 0,
            pace: Pace::new(options.prefetch, Instant::now()),
            wake: Wake::default(),
            may_claim: true,
            next_due: None,
            is_stopping: false,
            summary: Summary::default(),
            alias,
            registry,
            options,
            info,
        })
    }

    /// Works until there is nothing left to do.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Summary {
        let mut phases = shutdown.watch();
        let mut errand: Option<Errand> = None;
        let mut waiting: Option<Errand> = None;
        let mut patience = std::pin::pin!(tokio::time::sleep(Duration::MAX));
        let mut is_forced = false;
        let mut ended = Vec::new();
        loop {
            self.start_tasks();
            if errand.is_none() {
                errand = self.next_errand();
            }
            if self.is_idle() && errand.is_none() {
                if self.is_stopping {
                    break;
                }
                if self.has_done_its_share() {
                    self.stop();
                    continue;
                }
            }
            if waiting.is_none() && !self.may_claim && !self.is_stopping {
                let timeout = self.next_due.unwrap_or(Duration::MAX).min(self.options.interval);
                waiting = Some(self.runner.clone().wait(self.wake, timeout));
            }
            tokio::select! {
                count = self.inbox.ended.recv_many(&mut ended, MOST_UNWRITTEN) => {
                    self.pace.ended(count, Instant::now());
                    ended.drain(..).for_each(|ended| self.settle(ended));
                }
                Some(report) = poll(&mut errand) => { errand = None; self.hear(report); }
                Some(report) = poll(&mut waiting) => { waiting = None; self.hear(report); }
                Some(pulse) = self.inbox.pulses.recv() => self.feel(pulse),
                Ok(()) = phases.changed() => {
                    if *phases.borrow_and_update() == Phase::Stopping {
                        patience.as_mut().reset(tokio::time::Instant::now() + self.options.stop_timeout);
                        self.stop();
                    } else {
                        patience.as_mut().reset(tokio::time::Instant::now() + FORCED_PATIENCE);
                        is_forced = true;
                        self.interrupt();
                    }
                }
                () = &mut patience => {
                    if is_forced {
                        tracing::warn!("the store took nothing back in time; it hands the tasks on when the lease runs out");
                        break;
                    }
                    tracing::warn!(tasks = self.running.len(), "giving back what did not end in time");
                    patience.as_mut().reset(tokio::time::Instant::now() + FORCED_PATIENCE);
                    is_forced = true;
                    self.interrupt();
                }
            }
        }
        self.heartbeat.abort();
        self.rescuer.abort();
        if !is_forced || self.unwritten.is_none() {
            self.runner.leave(self.key).await;
        }
        self.summary
    }

    /// Starts what may start: in order, as many as fit.
    fn start_tasks(&mut self) {
        while self.free() > 0 && self.progress.finished.len() < MOST_UNWRITTEN && !self.is_stopping && !self.is_lost {
            let (claimed, since) = match self.backlog.next() {
                Next::Task(claimed, since) => (*claimed, since),
                Next::MustBeTold | Next::Empty => return,
            };
            let Some(entry) = self.registry.find(&claimed.record.name) else {
                // Only known names are claimed, so this is a backend's mistake.
                tracing::error!(task = %claimed.record.id, name = %claimed.record.name, "claimed an unknown task");
                self.give_back(claimed.lease, claimed.record.attempts + 1, claimed.last_attempt, None);
                continue;
            };
            tracing::debug!(task = %claimed.record.id, name = %claimed.record.name, "task starts");
            self.runs += 1;
            let running = self.executor.start(self.runs, *entry, claimed, since.elapsed());
            self.running.insert(self.runs, running);
            self.summary.started += 1;
        }
    }

    /// How many more tasks may start now.
    fn free(&self) -> usize {
        self.options.concurrency.saturating_sub(self.running.len() + self.orphans)
    }

    /// What to send to the store next.
    fn next_errand(&mut self) -> Option<Errand> {
        if self.is_lost {
            return Some(self.runner.clone().join(self.info.clone(), pause_after(self.failures)));
        }
        if !self.given_back.is_empty() {
            return Some(self.runner.clone().give_back(std::mem::take(&mut self.given_back)));
        }
        let asked = self.wish();
        let unwritten = match self.unwritten.take() {
            Some(unwritten) => unwritten,
            None => {
                self.progress.started = self.backlog.untold();
                Unwritten {
                    progress: Arc::new(std::mem::take(&mut self.progress)),
                    records: Arc::new(std::mem::take(&mut self.records)),
                }
            }
        };
        if unwritten.progress.is_empty() && asked.is_none() {
            return None;
        }
        Some(self.runner.clone().exchange(unwritten, asked, pause_after(self.failures)))
    }

    /// What to claim now, if anything.
    fn wish(&self) -> Option<ClaimRequest> {
        if self.is_stopping || !self.may_claim || self.progress.finished.len() >= MOST_UNWRITTEN {
            return None;
        }
        let (free, have) = (self.free(), self.backlog.len());
        let target = free + self.pace.prefetch();
        // Small claims cost as much as large ones: ask again when half is used up.
        if 2 * have > target {
            return None;
        }
        let allowed = self.options.max_tasks.map_or(u64::MAX, |most| most.saturating_sub(self.summary.started));
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX).saturating_sub(have);
        let limit = (target - have).min(allowed);
        (limit > 0).then(|| ClaimRequest {
            worker: self.key,
            queues: self.options.queues.clone(),
            names: self.names.clone(),
            limit,
            starting: free.saturating_sub(have),
        })
    }

    /// Takes the end of a task.
    fn settle(&mut self, Ended { run, outcome }: Ended) {
        let Some(running) = self.running.remove(&run) else {
            self.orphans = self.orphans.saturating_sub(1);
            return;
        };
        let ended_at = running.ended_at();
        if let Err(failure) = &outcome
            && failure.kind == FailureKind::Interrupted
        {
            let interrupted = Some((running.started_at, failure.clone()));
            return self.give_back(running.lease, running.attempt, running.last_attempt, interrupted);
        }
        let id = running.lease.id();
        let outcome = Outcome::of(outcome, id, &running.policy, running.attempt, running.last_attempt);
        self.count(id, &outcome);
        if let Some(record) = running.record {
            self.records.extend(finished_record(record, &outcome, &self.info.id, ended_at));
        }
        self.progress.finished.push(Finish {
            lease: running.lease,
            attempt: running.attempt,
            last_attempt: running.last_attempt,
            started_at: running.started_at,
            ended_at,
            outcome,
        });
    }

    fn count(&mut self, id: TaskId, outcome: &Outcome) {
        match outcome {
            Outcome::Succeeded(_) => {
                tracing::debug!(task = %id, "task succeeded");
                self.summary.succeeded += 1;
            }
            Outcome::Retry(failure, delay) => {
                tracing::warn!(task = %id, %failure, ?delay, "task failed and runs again");
                self.summary.retried += 1;
            }
            Outcome::Failed(failure) => {
                tracing::error!(task = %id, %failure, "task failed");
                self.summary.failed += 1;
            }
            Outcome::Canceled(_) => {
                tracing::info!(task = %id, "task canceled");
                self.summary.canceled += 1;
            }
        }
    }

    /// Takes the answer to an errand.
    fn hear(&mut self, report: Report) {
        match report {
            Report::Exchanged { unwritten, asked, answer: Ok(finished) } => {
                self.failures = 0;
                self.backlog.told(&unwritten.progress.started);
                self.announce(&unwritten.records, &finished.refused);
                if let Some(request) = asked {
                    self.receive(&request, finished);
                }
            }
            Report::Exchanged { unwritten, asked, answer: Err(error) } => {
                if !unwritten.progress.is_empty() {
                    self.unwritten = Some(unwritten);
                }
                if error.kind() == ErrorKind::State && asked.is_some() {
                    tracing::warn!(%error, "the store gave this worker up");
                    self.lose();
                } else {
                    self.failures += 1;
                    tracing::error!(%error, "the store did not answer, trying again");
                }
            }
            Report::Joined(Ok(key)) => {
                self.failures = 0;
                self.key = key;
                self.is_lost = false;
                self.may_claim = true;
                let beat = beat(self.alias.clone(), key, self.options.lease, self.inbox.pulse_sender.clone());
                self.heartbeat.abort();
                self.heartbeat = tokio::spawn(beat).abort_handle();
                tracing::info!(worker = %self.info.id, "joined again");
            }
            Report::Joined(Err(error)) => {
                self.failures += 1;
                tracing::error!(%error, "cannot join again, trying on");
            }
            Report::GaveBack => {}
            Report::Woken(wake) => {
                self.wake = wake;
                self.may_claim = true;
            }
        }
    }

    /// Takes what a claim brought.
    fn receive(&mut self, request: &ClaimRequest, finished: Finished) {
        let claim = finished.claim;
        // Fewer than asked for: there is no more until something says otherwise.
        self.may_claim = claim.tasks.len() >= request.limit;
        self.next_due = claim.next_due;
        self.backlog.add(claim.tasks, request.starting, Instant::now());
        if self.is_stopping || self.is_lost {
            self.return_backlog();
        }
    }

    /// Sends `task_finished` for what the store has now.
    fn announce(&self, records: &[TaskRecord], refused: &[TaskId]) {
        for id in refused {
            tracing::warn!(task = %id, "the task's lease was lost: its result was refused");
        }
        records.iter().filter(|record| !refused.contains(&record.id)).for_each(|record| signals::TASK_FINISHED.send(record));
    }

    fn feel(&mut self, pulse: Pulse) {
        match pulse {
            Pulse::Canceled(ids) => {
                for running in self.running.values().filter(|running| ids.contains(&running.lease.id())) {
                    running.cancellation.cancel();
                }
            }
            Pulse::Lost => {
                tracing::warn!("the lease was lost: other workers run this one's tasks");
                self.lose();
            }
        }
    }

    /// The lease is gone: everything claimed belongs to others. Tasks are told, and
    /// whatever they still return is thrown away.
    fn lose(&mut self) {
        self.is_lost = !self.is_stopping;
        self.backlog.empty();
        for (_, running) in self.running.drain() {
            running.cancellation.cancel();
            self.orphans += 1;
        }
    }

    /// Starts nothing more and gives back what has not started.
    fn stop(&mut self) {
        self.is_stopping = true;
        self.return_backlog();
    }

    fn return_backlog(&mut self) {
        for task in self.backlog.empty() {
            self.give_back(task.lease, task.record.attempts + 1, task.last_attempt, None);
        }
    }

    /// Gives back what runs, without waiting for it.
    fn interrupt(&mut self) {
        self.stop();
        for (_, running) in std::mem::take(&mut self.running) {
            running.cancellation.cancel();
            running.abort.abort();
            let failure = TaskFailure::new(FailureKind::Interrupted, "the worker was stopped before the task had ended");
            let interrupted = Some((running.started_at, failure));
            self.give_back(running.lease, running.attempt, running.last_attempt, interrupted);
        }
        self.orphans = 0;
    }

    fn give_back(
        &mut self,
        lease: task_core::Lease,
        attempt: u32,
        last_attempt: u32,
        interrupted: Option<(task_core::Timestamp, TaskFailure)>,
    ) {
        self.summary.given_back += 1;
        self.given_back.push(GivenBack { lease, attempt, last_attempt, interrupted });
    }

    /// Nothing runs, nothing is to be written, nothing waits in memory.
    fn is_idle(&self) -> bool {
        self.running.is_empty()
            && self.backlog.len() == 0
            && self.progress.finished.is_empty()
            && self.unwritten.is_none()
            && self.given_back.is_empty()
    }

    /// Whether the options say that this was all.
    fn has_done_its_share(&self) -> bool {
        let drained = self.options.batch && !self.may_claim && !self.is_lost;
        drained || self.options.max_tasks.is_some_and(|most| self.summary.started >= most)
    }
}

/// Waits for an errand; `None` when there is none.
async fn poll(errand: &mut Option<Errand>) -> Option<Report> {
    match errand {
        Some(errand) => Some(errand.await),
        None => None,
    }
}

/// The record of a task that ended now; `None` when it runs again.
fn finished_record(
    mut record: TaskRecord,
    outcome: &Outcome,
    worker_id: &str,
    now: task_core::Timestamp,
) -> Option<TaskRecord> {
    let failure = match outcome {
        Outcome::Succeeded(value) => {
            record.status = TaskStatus::Successful;
            record.return_value = Some(value.clone());
            None
        }
        Outcome::Failed(failure) => {
            record.status = TaskStatus::Failed;
            Some(failure)
        }
        Outcome::Canceled(failure) => {
            record.status = TaskStatus::Canceled;
            Some(failure)
        }
        Outcome::Retry(..) => return None,
    };
    record.finished_at = Some(now);
    record.errors.extend(failure.map(|failure| AttemptError {
        attempt: record.attempts,
        worker_id: worker_id.to_owned(),
        started_at: record.last_attempted_at.unwrap_or(now),
        ended_at: now,
        failure: failure.clone(),
    }));
    Some(record)
}
