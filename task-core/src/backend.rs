//! Where tasks are kept, seen by the application. The worker's and the operator's
//! faces are in [`queue`] and [`admin`].

pub mod admin;
pub mod aliases;
pub mod kinds;
pub mod queue;

use std::any::Any;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, NewTask, Result, TaskId, TaskQueue, TaskRecord};
use admin::TaskAdmin;

/// What a backend can do, as plain data: read when a task is enqueued, by the
/// conformance suite, and by `worker check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Priorities other than 0 are accepted.
    pub priority: bool,
    /// Tasks with a due time are accepted.
    pub defer: bool,
    /// Async tasks are accepted.
    pub async_task: bool,
    /// A result can be looked up from any thread and process.
    pub get_result: bool,
    /// What was accepted survives the end of the process.
    pub durable: bool,
}

impl Capabilities {
    /// Nothing: the start of an honest list.
    pub const NONE: Self = Self {
        priority: false,
        defer: false,
        async_task: false,
        get_result: false,
        durable: false,
    };

    /// Every capability with its name, for tables.
    pub const fn list(&self) -> [(&'static str, bool); 5] {
        [
            ("priority", self.priority),
            ("defer", self.defer),
            ("async_task", self.async_task),
            ("get_result", self.get_result),
            ("durable", self.durable),
        ]
    }
}

/// Who wants a task to end, and why. Kept with the task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CancelRequest {
    /// Who: a person, a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl CancelRequest {
    /// The longest of its texts, in bytes.
    pub const MAX_TEXT_BYTES: usize = 1000;

    /// By this person or program.
    #[must_use]
    pub fn by(mut self, by: impl Into<String>) -> Self {
        self.by = Some(by.into());
        self
    }

    /// For this reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// For backends: whether every store can keep it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidTask`]: a text is too long or has U+0000 in it.
    pub fn check(&self) -> Result<()> {
        for (what, text) in [("by", &self.by), ("reason", &self.reason)] {
            let Some(text) = text else { continue };
            if text.len() > Self::MAX_TEXT_BYTES || text.contains('\0') {
                return Err(Error::new(
                    ErrorKind::InvalidTask,
                    format!("`{what}` of a request to cancel has at most 1000 bytes and no U+0000"),
                ));
            }
        }
        Ok(())
    }
}

/// What came of a request to cancel a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancellation {
    /// It was waiting and is `CANCELED` now.
    Canceled,
    /// It is running; its worker will see the request within a heartbeat.
    Requested,
    /// It had ended already; nothing was changed.
    AlreadyFinished,
}

/// Where tasks are kept, for the application: hand in, look up, cancel.
#[async_trait]
pub trait TaskBackend: Send + Sync + Debug {
    /// The kind of store, as named in `tasks.toml`: `sqlite`, `dummy`.
    fn kind(&self) -> &'static str;

    /// What this backend can do.
    fn capabilities(&self) -> Capabilities;

    /// Stores tasks that were checked before.
    ///
    /// # Behavior
    ///
    /// - When it returns `Ok`, every task is stored as durably as the backend promises.
    /// - All tasks of one call are stored, or none.
    /// - The records come back in the order of the tasks, with the tasks' ids.
    /// - A stored task is `READY` with no attempts, or already finished where the
    ///   backend runs it at once.
    /// - `task_enqueued` is sent once for each task, after it was stored.
    /// - A task whose id is stored already is an error, and nothing is stored.
    /// - A task whose [`Unique`](crate::Unique) key another one holds is not stored: the record of that one
    ///   comes back in its place. Of two in one call the second one finds the first.
    async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>>;

    /// Looks a task up.
    ///
    /// # Behavior
    ///
    /// - `None` when there is no such task, or no longer.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) when the backend keeps no results.
    async fn find(&self, id: TaskId) -> Result<Option<TaskRecord>>;

    /// Asks for a task to end.
    ///
    /// # Behavior
    ///
    /// - A waiting task is `CANCELED` at once and is never run.
    /// - A running one is asked to stop; it ends `CANCELED`, unless it returned a value first.
    /// - A finished one stays as it is.
    /// - Who asked first, and why, is in the record of the task that was canceled.
    /// - An unknown id is [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    async fn cancel(&self, id: TaskId, request: &CancelRequest) -> Result<Cancellation>;

    /// Returns when a task may have changed, or after `timeout`. May return early.
    async fn changed(&self, timeout: Duration);

    /// The worker's face; `None` where no worker can work.
    fn queue(&self) -> Option<&dyn TaskQueue>;

    /// The operator's face; `None` where there is nothing to operate.
    fn admin(&self) -> Option<&dyn TaskAdmin>;

    /// The backend itself, for code that knows its type: a transaction of one database.
    fn as_any(&self) -> &dyn Any;

    /// Finishes what is being written and lets go of the store. A store that is let go of
    /// refuses further calls.
    async fn close(&self);
}
