//! What a running task knows about itself.

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{CancelReason, CancelToken, Limits, NewTask, RetryPolicy, TaskId, TaskRecord, TaskStatus};

/// Handed to a task that asks for it with `takes_context`: which attempt this is, and
/// whether somebody wants it to end.
#[derive(Clone)]
pub struct TaskContext {
    inner: Arc<Inner>,
    result_bytes: usize,
}

struct Inner {
    record: TaskRecord,
    worker_id: Arc<str>,
    cancellation: CancelToken,
    /// Of a function that blocks: ends when its thread has come to an end.
    thread_ended: OnceLock<CancellationToken>,
}

impl TaskContext {
    /// The context of one attempt. For those who run tasks: the worker, a backend that
    /// runs them itself, a test.
    ///
    /// `record` is the task as it runs: status `RUNNING`, this attempt counted.
    pub fn new(record: TaskRecord, worker_id: impl Into<Arc<str>>, cancellation: CancelToken) -> Self {
        Self {
            inner: Arc::new(Inner {
                record,
                worker_id: worker_id.into(),
                cancellation,
                thread_ended: OnceLock::new(),
            }),
            result_bytes: Limits::DEFAULT.result_bytes,
        }
    }

    /// The same, for an attempt that may return so much.
    pub(crate) fn limited(self, limits: Limits) -> Self {
        Self {
            result_bytes: limits.result_bytes,
            ..self
        }
    }

    /// How many bytes of JSON it may return.
    pub(crate) fn result_bytes(&self) -> usize {
        self.result_bytes
    }

    /// A context for calling a task function directly: first attempt, no store behind it.
    pub fn detached(name: &str) -> Self {
        let task = NewTask {
            id: TaskId::new(),
            name: name.into(),
            queue: "default".into(),
            priority: 0,
            run_after: None,
            arguments: "{}".into(),
            policy: RetryPolicy::DEFAULT,
            metadata: None,
            unique: None,
        };
        let now = crate::Clock::system().now();
        Self::new(
            task.accepted(now).running("detached", now),
            "detached",
            CancelToken::new(),
        )
    }

    /// The identity of the task.
    pub fn task_id(&self) -> TaskId {
        self.inner.record.id
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.inner.record.attempts
    }

    /// The task as it stood when this attempt began: status `RUNNING`.
    pub fn record(&self) -> &TaskRecord {
        &self.inner.record
    }

    /// What the application says about the task, by name. See [`metadata`](crate::metadata).
    pub fn metadata(&self) -> Map<String, Value> {
        self.inner.record.metadata()
    }

    /// Who runs it.
    pub fn worker_id(&self) -> &str {
        &self.inner.worker_id
    }

    /// Whether the task should end: somebody canceled it, its time limit has passed, its worker
    /// lost its lease, or the worker stops and its patience is over.
    pub fn is_canceled(&self) -> bool {
        self.inner.cancellation.is_canceled()
    }

    /// Ends when the task should end. For `select!` beside the work.
    pub async fn canceled(&self) {
        self.inner.cancellation.canceled().await;
    }

    /// Why the task should end; `None` while it should not.
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.inner.cancellation.reason()
    }

    /// Says that a thread works for this attempt until the guard is dropped.
    pub(crate) fn enter_thread(&self) -> DropGuard {
        let ended = self.inner.thread_ended.get_or_init(CancellationToken::new);
        ended.clone().drop_guard()
    }

    /// For those who run tasks: whether a thread still works for this attempt. A function that
    /// blocks cannot be stopped from outside, so this may be so after [`execute`](crate::execute) has ended.
    pub fn has_thread(&self) -> bool {
        self.inner
            .thread_ended
            .get()
            .is_some_and(|ended| !ended.is_cancelled())
    }

    /// For those who run tasks: ends when no thread works for this attempt any more.
    pub async fn thread_ended(&self) {
        if let Some(ended) = self.inner.thread_ended.get() {
            ended.cancelled().await;
        }
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("task_id", &self.task_id())
            .field("attempt", &self.attempt())
            .field("worker_id", &self.worker_id())
            .finish_non_exhaustive()
    }
}

impl TaskRecord {
    /// This task with one more attempt begun at `now` by this worker.
    pub fn running(mut self, worker_id: &str, now: Timestamp) -> Self {
        self.status = TaskStatus::Running;
        self.started_at = self.started_at.or(Some(now));
        self.last_attempted_at = Some(now);
        self.attempts += 1;
        self.worker_ids.push(worker_id.to_owned());
        self
    }
}
