//! One slot of a worker: takes a task, runs it to its end, takes the next.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use task_core::{
    CancelToken, FailureKind, Limits, Registry, TaskContext, TaskEntry, TaskFailure, TaskRecord, execute,
    signals, trace,
};
use tracing::{Instrument as _, Span};

use crate::slots::{Ended, Slots, Start, later};

/// After so many tasks that never had to wait, the slot lets others on the thread go first.
const IN_A_ROW: usize = 64;

/// How an attempt ended, the record where somebody will want it, and the context.
type Attempted = (Result<String, TaskFailure>, Option<TaskRecord>, TaskContext);

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
            let (done, context) = self.perform(slot, start).await;
            ended = done;
            if context.has_thread() {
                self.wait_for_thread(ended.take(), &context).await;
            }
            in_a_row += 1;
            if in_a_row % IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The attempt is over, but its thread goes on, which nothing can stop from outside: the end is
    /// told at once, and the slot stays taken, so that no more threads work than there are slots.
    async fn wait_for_thread(&self, ended: Option<Ended>, context: &TaskContext) {
        tracing::warn!(
            task = %context.task_id(), name = %context.record().name,
            "the attempt was ended, but its thread goes on; its slot stays taken until it returns"
        );
        if let Some(ended) = ended {
            self.slots.hand_in(ended);
        }
        context.thread_ended().await;
    }

    /// One task from its start to its end; `None` when its lease was lost meanwhile. Besides, its
    /// context.
    async fn perform(&self, slot: usize, start: Start) -> (Option<Ended>, TaskContext) {
        let id = start.record.id;
        let entry = self.registry.find(&start.record.name);
        let name = entry.map(TaskEntry::name);
        let (outcome, record, context) = match entry {
            Some(entry) => self.attempt(entry, start).await,
            None => self.unknown(start),
        };
        match &outcome {
            Ok(_) => tracing::debug!(task = %id, "task ended"),
            Err(failure) => tracing::debug!(task = %id, failure = ?failure.to_string(), "task ended"),
        }
        let ended = self.slots.end(slot).map(|running| {
            let took = running.started.elapsed();
            Ended {
                ended_at: later(running.started_at, took),
                running,
                name,
                took,
                outcome,
                record,
            }
        });
        (ended, context)
    }

    /// One attempt.
    async fn attempt(&self, entry: &TaskEntry, start: Start) -> Attempted {
        let Start {
            record,
            started_at,
            cancellation,
        } = start;
        let span = self.span(&record);
        trace::adopt(&span, &record);
        tracing::debug!(parent: &span, task = %record.id, name = %record.name, "task starts");
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
        let outcome = self
            .poll_through(entry, &context, &cancellation)
            .instrument(span)
            .await;
        (outcome, kept, context)
    }

    /// The span of an attempt, which everything that is logged in it belongs to. No field of it is
    /// called `name`: in JSON that is the span's own.
    fn span(&self, record: &TaskRecord) -> Span {
        tracing::info_span!(
            "task",
            id = %record.id,
            task = %record.name,
            queue = %record.queue,
            attempt = record.attempts + 1,
            worker = %self.worker_id,
        )
    }

    /// Runs the attempt; when it has to wait, another slot takes over what is in the backlog.
    async fn poll_through(
        &self,
        entry: &TaskEntry,
        context: &TaskContext,
        cancellation: &CancelToken,
    ) -> Result<String, TaskFailure> {
        let mut attempt = pin!(execute(
            entry,
            &context.record().arguments,
            context.clone(),
            cancellation,
            self.limits
        ));
        let mut has_passed_on = false;
        poll_fn(|cx| {
            let polled = attempt.as_mut().poll(cx);
            if polled.is_pending() && !has_passed_on {
                has_passed_on = true;
                self.slots.pass_on();
            }
            polled
        })
        .await
    }

    /// Only known names are claimed, so this is a mistake of the backend: back with it.
    fn unknown(&self, start: Start) -> Attempted {
        let Start {
            record, cancellation, ..
        } = start;
        tracing::error!(task = %record.id, name = %record.name, "claimed an unknown task");
        let message = format!("this worker knows no task `{}`", record.name);
        let context = TaskContext::new(record, self.worker_id.clone(), cancellation);
        (
            Err(TaskFailure::new(FailureKind::Interrupted, message)),
            None,
            context,
        )
    }
}
