//! Where tasks are kept, seen by an operator: list, count, retry, prune.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use crate::{Result, TaskId, TaskRecord, TaskStatus};

/// Which tasks to list. Empty lists select everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// In one of these states.
    pub statuses: Vec<TaskStatus>,
    /// In one of these queues.
    pub queues: Vec<String>,
    /// With one of these names.
    pub names: Vec<String>,
}

/// One page of a list: newest first, from where the last page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most this many: 1 to [`Page::MAX_SIZE`].
    pub size: usize,
    /// The [`TaskPage::next`] of the page before.
    pub after: Option<String>,
}

impl Page {
    /// The most tasks on one page.
    pub const MAX_SIZE: usize = 1000;
}

impl Default for Page {
    fn default() -> Self {
        Self {
            size: 50,
            after: None,
        }
    }
}

/// Tasks that a filter selected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskPage {
    /// The tasks, the one enqueued last first.
    pub tasks: Vec<TaskRecord>,
    /// Where the next page starts; `None` when this was the last.
    pub next: Option<String>,
}

/// How many tasks of one queue are in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The queue.
    pub queue: String,
    /// The state.
    pub status: TaskStatus,
    /// How many.
    pub tasks: u64,
}

/// Which finished tasks to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneRule {
    /// Successful ones that finished this long ago or longer.
    pub min_age: std::time::Duration,
    /// The same for failed and canceled ones; `None` means as `min_age`.
    pub failed_min_age: Option<std::time::Duration>,
    /// Only of these queues; empty means of all.
    pub queues: Vec<String>,
    /// Count only, delete nothing.
    pub dry_run: bool,
}

/// A worker as the store knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerRecord {
    /// Its name.
    pub id: String,
    /// The host it runs on.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// The queues it takes from, in words.
    pub queues: String,
    /// How many tasks it runs at a time.
    pub concurrency: usize,
    /// When it joined.
    pub started_at: Timestamp,
    /// Until when its lease runs.
    pub lease_until: Timestamp,
    /// How many tasks it holds.
    pub claimed: u64,
}

/// What can be paused: then no worker takes tasks from it until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pausable {
    /// A queue.
    Queue(String),
    /// The tasks of one name, in every queue.
    Task(String),
}

/// What is paused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Paused {
    /// Queues.
    pub queues: BTreeSet<String>,
    /// Names of tasks.
    pub tasks: BTreeSet<String>,
}

impl Paused {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.tasks.is_empty()
    }

    /// Whether a task of this name in this queue may not be taken.
    pub fn includes(&self, queue: &str, name: &str) -> bool {
        self.queues.contains(queue) || self.tasks.contains(name)
    }

    /// With this.
    pub fn add(&mut self, what: Pausable) {
        match what {
            Pausable::Queue(queue) => self.queues.insert(queue),
            Pausable::Task(task) => self.tasks.insert(task),
        };
    }
}

/// Where tasks are kept, for an operator.
#[async_trait]
pub trait TaskAdmin: Send + Sync {
    /// Lists tasks, the one enqueued last first.
    ///
    /// # Behavior
    ///
    /// - Every page but the last is full; no task stands on two pages, and none that was
    ///   there before the first page was read is left out, unless its state changed.
    /// - A page that starts at a task deleted since goes on behind it.
    /// - A size out of range or a mark that is none is
    ///   [`ErrorKind::InvalidTask`](crate::ErrorKind::InvalidTask).
    async fn list(&self, filter: &Filter, page: &Page) -> Result<TaskPage>;

    /// Counts tasks by queue and state, sorted by both; pairs without tasks are left
    /// out. Reads everything: for people, not for a hot path.
    async fn counts(&self) -> Result<Vec<Count>>;

    /// Lets a failed or canceled task run again, now, with as many attempts as it had at first.
    ///
    /// # Behavior
    ///
    /// - Its earlier attempts and errors stay in its history.
    /// - A task in any other state is [`ErrorKind::State`](crate::ErrorKind::State).
    /// - An unknown id is [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    async fn retry(&self, id: TaskId) -> Result<TaskRecord>;

    /// Deletes finished tasks and says how many, in transactions of bounded size.
    ///
    /// # Behavior
    ///
    /// - Waiting and running tasks are never deleted.
    /// - Age is counted from the end of the task, by the store's clock.
    async fn prune(&self, rule: &PruneRule) -> Result<u64>;

    /// Pauses a queue or a task for all workers, or lets it go on. Workers give back what they had
    /// fetched ahead of it; what runs goes on.
    ///
    /// # Behavior
    ///
    /// - Workers hear of it with the next renewal of their lease.
    /// - Tasks may be enqueued all the while.
    /// - It stays until it is undone, and doing it twice changes nothing.
    /// - A queue or a task nobody knows may be paused, too.
    async fn set_paused(&self, what: &Pausable, is_paused: bool) -> Result<()>;

    /// What is paused.
    async fn paused(&self) -> Result<Paused>;

    /// The workers that have joined and neither left nor been given up.
    async fn workers(&self) -> Result<Vec<WorkerRecord>>;
}
