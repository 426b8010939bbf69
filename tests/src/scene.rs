//! What cases are written with: tasks to enqueue, and a store that answers without fuss.

use std::time::Duration;

use task_core::{
    ErrorKind, FailureKind, NewTask, Rescued, RetryPolicy, RunAfter, Task as _, TaskFailure, TaskId,
    TaskRecord, run_after,
};

use crate::Store;
use crate::played_worker::PlayedWorker;
use crate::tasks::echo;

/// The lease of every worker that a case plays.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// Long enough for anything that should happen at once, short enough to wait for when it does not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What "at once" means to a test on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Names of tasks that every played worker knows. The first is registered, too.
pub(crate) const NAMES: [&str; 4] = [
    echo::ENTRY.name(),
    "elsewhere::second",
    "elsewhere::third",
    "elsewhere::fourth",
];

/// A task that every backend accepts and can run.
pub(crate) fn new_task() -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: echo::ENTRY.name().into(),
        queue: "default".into(),
        priority: 0,
        run_after: None,
        arguments: r#"{"text":"hello"}"#.into(),
        policy: RetryPolicy::DEFAULT,
        metadata: None,
        unique: None,
    }
}

/// The same with this text as its argument.
pub(crate) fn saying(text: &str) -> NewTask {
    NewTask {
        arguments: serde_json::json!({ "text": text }).to_string().into(),
        ..new_task()
    }
}

/// The same in this queue.
pub(crate) fn in_queue(queue: &str) -> NewTask {
    NewTask {
        queue: queue.into(),
        ..new_task()
    }
}

/// The same under this name, which may be nobody's.
pub(crate) fn named(name: &str) -> NewTask {
    NewTask {
        name: name.into(),
        ..new_task()
    }
}

/// The same, due after this time.
pub(crate) fn due_in(delay: Duration) -> NewTask {
    NewTask {
        run_after: Some(RunAfter::In(delay)),
        ..new_task()
    }
}

/// The same with so many attempts of its own and so many lost workers.
pub(crate) fn with_policy(max_attempts: u32, max_lost: u32) -> NewTask {
    NewTask {
        policy: RetryPolicy {
            max_attempts,
            max_lost,
            ..RetryPolicy::DEFAULT
        },
        ..new_task()
    }
}

/// So many tasks.
pub(crate) fn many(count: usize) -> Vec<NewTask> {
    (0..count).map(|_| new_task()).collect()
}

/// The name of a queue that no other test uses.
pub(crate) fn own_queue() -> String {
    format!("queue-{}", TaskId::new())
}

/// Why an attempt failed.
pub(crate) fn failure(message: &str) -> TaskFailure {
    TaskFailure::new(FailureKind::Error, message).of_type("app::Trouble")
}

/// Why an attempt was stopped.
pub(crate) fn stopped() -> TaskFailure {
    TaskFailure::new(FailureKind::Interrupted, "the worker stops")
}

/// The ids of records, in their order.
pub(crate) fn ids(records: &[TaskRecord]) -> Vec<TaskId> {
    records.iter().map(|record| record.id).collect()
}

impl Store {
    /// Enqueues one task.
    pub(crate) async fn enqueue(&self, task: NewTask) -> TaskRecord {
        let mut records = self.enqueue_all(vec![task]).await;
        records.pop().expect("one task, one record")
    }

    /// Enqueues these tasks in one call.
    pub(crate) async fn enqueue_all(&self, tasks: Vec<NewTask>) -> Vec<TaskRecord> {
        let count = tasks.len();
        let records = self
            .backend()
            .enqueue(tasks)
            .await
            .expect("the tasks are accepted");
        assert_eq!(records.len(), count, "one record for each task");
        records
    }

    /// Looks up a task that is there.
    pub(crate) async fn find(&self, id: TaskId) -> TaskRecord {
        self.backend()
            .find(id)
            .await
            .expect("the backend can look tasks up")
            .expect("the task is there")
    }

    /// Looks up tasks that are there.
    pub(crate) async fn find_all(&self, ids: &[TaskId]) -> Vec<TaskRecord> {
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            records.push(self.find(*id).await);
        }
        records
    }

    /// What holds instead where a case needs due times and the backend has none.
    pub(crate) async fn assert_due_times_are_refused(&self) {
        let call = echo::new("x").using(run_after(Duration::from_secs(3600)));
        let error = call.enqueue_on(&self.backends()).await;
        let error = error.expect_err("the backend declares that it cannot defer");
        assert_eq!(error.kind(), ErrorKind::InvalidTask);
    }

    /// Whether there is a task with this id.
    pub(crate) async fn has(&self, id: TaskId) -> bool {
        let found = self.backend().find(id).await;
        found.expect("the backend can look tasks up").is_some()
    }

    /// A worker of this name that takes from all queues.
    pub(crate) async fn worker(&self, id: &str) -> PlayedWorker {
        PlayedWorker::join(self.backend(), id, LEASE).await
    }

    /// The same with a lease that outlives every case, for those in which much time passes.
    pub(crate) async fn steady_worker(&self, id: &str) -> PlayedWorker {
        PlayedWorker::join(self.backend(), id, 1_000_000 * LEASE).await
    }

    /// Lets the lease of every worker run out.
    pub(crate) async fn outlive_leases(&self) {
        self.advance(LEASE + Duration::from_secs(1)).await;
    }

    /// Rescues until nothing is left to rescue, and says what was done in all.
    pub(crate) async fn rescue(&self) -> Rescued {
        let mut all = Rescued::default();
        loop {
            let some = self.queue().rescue(100).await.expect("rescuing works");
            all.workers += some.workers;
            all.returned += some.returned;
            all.failed += some.failed;
            if some.returned + some.failed == 0 {
                return all;
            }
        }
    }
}
