//! What a running task knows about itself.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::{Limits, NewTask, RetryPolicy, TaskId, TaskRecord, TaskStatus};

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
    cancellation: CancellationToken,
}

impl TaskContext {
    /// The context of one attempt. For those who run tasks: the worker, a backend that
    /// runs them itself, a test.
    ///
    /// `record` is the task as it runs: status `RUNNING`, this attempt counted.
    pub fn new(record: TaskRecord, worker_id: impl Into<Arc<str>>, cancellation: CancellationToken) -> Self {
        Self {
            inner: Arc::new(Inner {
                record,
                worker_id: worker_id.into(),
                cancellation,
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
        };
        let now = crate::Clock::system().now();
        Self::new(
            task.accepted(now).running("detached", now),
            "detached",
            CancellationToken::new(),
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

    /// Whether the task should end: somebody canceled it, its worker lost its lease, or
    /// the worker stops and its patience is over.
    pub fn is_canceled(&self) -> bool {
        self.inner.cancellation.is_cancelled()
    }

    /// Ends when the task should end. For `select!` beside the work.
    pub async fn canceled(&self) {
        self.inner.cancellation.cancelled().await;
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
