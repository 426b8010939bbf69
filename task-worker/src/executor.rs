//! One claimed task, from its start to its end.

use std::time::{Duration, Instant};

use task_core::{
    CancellationToken, Claimed, Lease, Limits, RetryPolicy, TaskContext, TaskEntry, TaskFailure, TaskRecord,
    Timestamp, execute, signals,
};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// What the worker keeps of a task while it runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) lease: Lease,
    pub(crate) attempt: u32,
    pub(crate) last_attempt: u32,
    pub(crate) policy: RetryPolicy,
    pub(crate) started_at: Timestamp,
    pub(crate) started: Instant,
    pub(crate) cancellation: CancellationToken,
    pub(crate) abort: AbortHandle,
    /// The record, where a signal receiver will want it at the end.
    pub(crate) record: Option<TaskRecord>,
}

impl Running {
    /// When it ended if it ended now, by the store's clock: its start there, and what
    /// passed since by a clock that never jumps.
    pub(crate) fn ended_at(&self) -> Timestamp {
        later(self.started_at, self.started.elapsed())
    }
}

/// A task that came to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Which run of this worker it was: a task may run here twice, once for a lost lease.
    pub(crate) run: u64,
    pub(crate) outcome: Result<String, TaskFailure>,
}

/// What every task of a worker shares.
#[derive(Debug, Clone)]
pub(crate) struct Executor {
    pub(crate) worker_id: String,
    pub(crate) limits: Limits,
    pub(crate) ended: mpsc::Sender<Ended>,
}

impl Executor {
    /// Starts a task that was claimed `waited` ago, as this run.
    pub(crate) fn start(&self, run: u64, entry: TaskEntry, claimed: Claimed, waited: Duration) -> Running {
        let Claimed { lease, record, last_attempt, claimed_at } = claimed;
        let started_at = later(claimed_at, waited);
        let policy = record.policy;
        let record = record.running(&self.worker_id, started_at);
        let attempt = record.attempts;
        signals::TASK_STARTED.send(&record);
        let kept = signals::TASK_FINISHED.is_connected().then(|| record.clone());

        let cancellation = CancellationToken::new();
        let context = TaskContext::new(record, self.worker_id.clone(), cancellation.clone());
        let (ended, token, limits) = (self.ended.clone(), cancellation.clone(), self.limits);
        let task = tokio::spawn(async move {
            let attempted = context.clone();
            let outcome = execute(&entry, &context.record().arguments, attempted, &token, limits).await;
            // Nobody listens any more only when the worker itself is gone.
            let _ = ended.send(Ended { run, outcome }).await;
        });
        Running {
            lease,
            attempt,
            last_attempt,
            policy,
            started_at,
            started: Instant::now(),
            cancellation,
            abort: task.abort_handle(),
            record: kept,
        }
    }
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(moment.as_microsecond().saturating_add(by)).unwrap_or(Timestamp::MAX)
}
