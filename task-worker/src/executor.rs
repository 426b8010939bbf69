//! One slot of a worker: takes a task, runs it to its end, takes the next.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use task_core::{
    FailureKind, Limits, Registry, TaskContext, TaskEntry, TaskFailure, TaskRecord, execute, signals,
};

use crate::slots::{Ended, Slots, Start, later};

/// After so many tasks that never had to wait, the slot lets others on the thread go first.
const IN_A_ROW: usize = 64;

/// What all slots of a worker share.
#[derive(Debug, Clone)]
pub(crate) struct Executor {
    pub(crate) registry: Arc<Registry>,
    pub(crate) worker_id: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) slots: Slots,
}

impl Executor {
    /// Runs tasks in this slot for as long as the worker lives.
    pub(crate) async fn run(self, slot: usize) {
        let mut ended = None;
        let mut in_a_row = 0;
        loop {
            let Some(start) = self.slots.next(slot, ended.take()) else {
                self.slots.work(slot).await;
                continue;
            };
            ended = self.perform(slot, start).await;
            in_a_row += 1;
            if in_a_row % IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// One task from its start to its end; `None` when its lease was lost meanwhile.
    async fn perform(&self, slot: usize, start: Start) -> Option<Ended> {
        let id = start.record.id;
        let (outcome, record) = match self.registry.find(&start.record.name) {
            Some(entry) => self.attempt(entry, start).await,
            None => (Err(unknown(&start.record)), None),
        };
        match &outcome {
            Ok(_) => tracing::debug!(task = %id, "task ended"),
            Err(failure) => tracing::debug!(task = %id, failure = ?failure.to_string(), "task ended"),
        }
        let running = self.slots.end(slot)?;
        let ended_at = later(running.started_at, running.started.elapsed());
        Some(Ended {
            running,
            outcome,
            ended_at,
            record,
        })
    }

    /// One attempt; besides how it ended, the record where somebody will want it.
    async fn attempt(
        &self,
        entry: &TaskEntry,
        start: Start,
    ) -> (Result<String, TaskFailure>, Option<TaskRecord>) {
        let Start {
            record,
            started_at,
            cancellation,
        } = start;
        tracing::debug!(task = %record.id, name = %record.name, "task starts");
        // Only who can look at it needs the record as of this attempt.
        let is_looked_at = entry.takes_context()
            || signals::TASK_STARTED.is_connected()
            || signals::TASK_FINISHED.is_connected();
        let record = if is_looked_at {
            record.running(&self.worker_id, started_at)
        } else {
            record
        };
        signals::TASK_STARTED.send(&record);
        let kept = signals::TASK_FINISHED.is_connected().then(|| record.clone());

        let context = TaskContext::new(record, self.worker_id.clone(), cancellation.clone());
        let arguments = context.clone();
        let mut attempt = pin!(execute(
            entry,
            &arguments.record().arguments,
            context,
            &cancellation,
            self.limits
        ));
        let mut has_passed_on = false;
        let outcome = poll_fn(|cx| {
            let polled = attempt.as_mut().poll(cx);
            if polled.is_pending() && !has_passed_on {
                has_passed_on = true;
                self.slots.pass_on();
            }
            polled
        })
        .await;
        (outcome, kept)
    }
}

/// Only known names are claimed, so this is a mistake of the backend: back with it.
fn unknown(record: &TaskRecord) -> TaskFailure {
    tracing::error!(task = %record.id, name = %record.name, "claimed an unknown task");
    TaskFailure::new(
        FailureKind::Interrupted,
        format!("this worker knows no task `{}`", record.name),
    )
}
