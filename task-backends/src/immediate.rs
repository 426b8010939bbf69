//! Runs each task inside `enqueue`, in the caller's process, and keeps nothing.

use std::any::Any;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{
    AttemptError, CancelRequest, CancelToken, Cancellation, Capabilities, Clock, Error, ErrorKind, Limits,
    NewTask, Registry, Result, TaskAdmin, TaskBackend, TaskContext, TaskId, TaskQueue, TaskRecord,
    TaskStatus, execute, signals,
};

/// Runs each task where it is enqueued, before `enqueue` returns.
///
/// A task that fails is `FAILED`; `enqueue` itself still succeeds. There is one attempt:
/// retries need a worker.
#[derive(Debug, Clone)]
pub struct ImmediateBackend {
    worker_id: String,
    limits: Limits,
    registry: Option<Registry>,
    clock: Clock,
}

impl Default for ImmediateBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl ImmediateBackend {
    /// A backend that runs the tasks `#[task]` registered.
    pub fn new() -> Self {
        let worker_id = format!("immediate-{}", TaskId::new());
        Self {
            worker_id,
            limits: Limits::DEFAULT,
            registry: None,
            clock: Clock::system(),
        }
    }

    /// The same with other limits for return values.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with explicitly registered tasks.
    #[must_use]
    pub fn with_registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    fn registry(&self) -> Result<&Registry> {
        match &self.registry {
            Some(registry) => Ok(registry),
            None => Registry::global(),
        }
    }

    async fn run(&self, task: NewTask) -> Result<TaskRecord> {
        let entry = *self.registry()?.require(&task.name)?;
        let enqueued = task.accepted(self.clock.now());
        signals::TASK_ENQUEUED.send(&enqueued);

        let mut record = enqueued.running(&self.worker_id, self.clock.now());
        signals::TASK_STARTED.send(&record);
        let cancellation = CancelToken::new();
        let context = TaskContext::new(record.clone(), self.worker_id.clone(), cancellation.clone());
        let ended = execute(&entry, &record.arguments, context, &cancellation, self.limits).await;

        let now = self.clock.now();
        record.finished_at = Some(now);
        match ended {
            Ok(value) => {
                record.status = TaskStatus::Successful;
                record.return_value = Some(value);
            }
            Err(failure) => {
                tracing::error!(task = %record.id, name = %record.name, failure = ?failure.to_string(), "task failed");
                record.status = TaskStatus::Failed;
                record.errors.push(AttemptError {
                    attempt: record.attempts,
                    worker_id: self.worker_id.clone(),
                    started_at: record.last_attempted_at.unwrap_or(now),
                    ended_at: now,
                    failure,
                });
            }
        }
        signals::TASK_FINISHED.send(&record);
        Ok(record)
    }
}

fn keeps_nothing() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "this backend does not support retrieving or refreshing results",
    )
    .hint(
        "the immediate backend runs tasks inside `enqueue` and keeps nothing; `enqueue` returned the result",
    )
}

#[async_trait]
impl TaskBackend for ImmediateBackend {
    fn kind(&self) -> &'static str {
        "immediate"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            priority: true,
            defer: false,
            async_task: true,
            get_result: false,
            durable: false,
        }
    }

    async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        // All names first: one that nobody knows refuses the call before anything runs.
        for task in &tasks {
            self.registry()?.require(&task.name)?;
        }
        let mut records = Vec::with_capacity(tasks.len());
        for task in tasks {
            records.push(self.run(task).await?);
        }
        Ok(records)
    }

    async fn find(&self, _: TaskId) -> Result<Option<TaskRecord>> {
        Err(keeps_nothing())
    }

    async fn cancel(&self, _: TaskId, _: &CancelRequest) -> Result<Cancellation> {
        Err(keeps_nothing())
    }

    async fn changed(&self, timeout: Duration) {
        tokio::time::sleep(timeout).await;
    }

    fn queue(&self) -> Option<&dyn TaskQueue> {
        None
    }

    fn admin(&self) -> Option<&dyn TaskAdmin> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn close(&self) {}
}
