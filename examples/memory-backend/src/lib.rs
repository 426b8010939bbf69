//! A backend of one's own: it keeps tasks in the memory of one process, and forgets them with it.
//!
//! It is an example to begin from, complete and short; `docs/custom-backend.md` leads through it.
//! An application that links this crate can say in its `tasks.toml`:
//!
//! ```toml
//! [default]
//! backend = "memory"
//!
//! [default.options]
//! capacity = 1000      # default 100000
//! ```
//!
//! A task whose [metadata](task_core::metadata) says `"forget": true` is forgotten once it was
//! successful: an application tells its backend what only the two of them understand.
//!
//! - This file: what it is called, what it can do, and the application's face.
//! - `state`: the tasks, and every change of them, as plain functions over plain data.
//! - `worker`, `operator`: the other two faces, each a few lines for each method.
//!
//! What it leaves out, because it only is an example: a claim passes over waiting tasks that
//! are not for its worker one by one, and everything is behind one lock.

mod operator;
mod state;
mod worker;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use task_core::{
    BackendSettings, CancelRequest, Cancellation, Capabilities, Clock, Error, ErrorKind, NewTask, Result,
    TaskAdmin, TaskBackend, TaskId, TaskQueue, TaskRecord, signals,
};
use tokio::sync::watch;

use state::State;

// From here on `backend = "memory"` in the settings of a program that links this crate means us.
task_core::backend_kind! { "memory" => open }

/// Makes the backend of an alias from what the settings say of it.
async fn open(_alias: &str, settings: &BackendSettings) -> Result<MemoryBackend> {
    settings.check_options(&["capacity"])?;
    let capacity = settings
        .option("capacity")?
        .unwrap_or(MemoryBackend::DEFAULT_CAPACITY);
    Ok(MemoryBackend::new().with_capacity(capacity))
}

/// Tasks in the memory of this process. Clones share them.
#[derive(Clone)]
pub struct MemoryBackend {
    state: Arc<Mutex<State>>,
    clock: Clock,
    capacity: usize,
    /// Counts changes after which there may be something to claim. It begins at 1: who has
    /// seen nothing has seen 0.
    ready: Arc<watch::Sender<u64>>,
    /// Counts all changes.
    changed: Arc<watch::Sender<u64>>,
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBackend {
    /// How many tasks are kept unless the settings say otherwise.
    pub const DEFAULT_CAPACITY: usize = 100_000;

    /// An empty store.
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
            clock: Clock::system(),
            capacity: Self::DEFAULT_CAPACITY,
            ready: Arc::new(watch::Sender::new(1)),
            changed: Arc::new(watch::Sender::new(1)),
        }
    }

    /// The same, keeping at most so many tasks: one more is refused.
    #[must_use]
    pub fn with_capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// The same with this clock: for tests that move time.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Looks at the tasks.
    fn read<R>(&self, look: impl FnOnce(&State) -> Result<R>) -> Result<R> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.check_open()?;
        look(&state)
    }

    /// Changes the tasks, and then tells those who wait. `state` is consistent before and after:
    /// a change that is refused has changed nothing.
    fn write<R>(&self, change: impl FnOnce(&mut State) -> Result<R>) -> Result<R> {
        let (changed, made_ready) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.check_open()?;
            (change(&mut state), state.take_made_ready())
        };
        self.changed.send_modify(|count| *count += 1);
        if made_ready {
            self.ready.send_modify(|count| *count += 1);
        }
        changed
    }

    fn check_room(&self, state: &State, more: usize) -> Result<()> {
        if state.len() + more <= self.capacity {
            return Ok(());
        }
        let message = format!("{} tasks are kept, at most {} may be", state.len(), self.capacity);
        Err(Error::new(ErrorKind::TooLarge, message)
            .hint("prune finished tasks, or raise `capacity` below [alias.options]"))
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackend")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TaskBackend for MemoryBackend {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            priority: true,
            defer: true,
            async_task: true,
            // Another process cannot look a result up, and nothing outlives this one.
            get_result: false,
            durable: false,
        }
    }

    async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        let now = self.clock.now();
        let answers = self.write(|state| {
            self.check_room(state, tasks.len())?;
            state.enqueue(tasks, now)
        })?;
        // After the tasks are stored, and outside the lock: a receiver may look them up.
        let new = answers.iter().filter(|(_, is_new)| *is_new);
        new.for_each(|(record, _)| signals::TASK_ENQUEUED.send(record));
        Ok(answers.into_iter().map(|(record, _)| record).collect())
    }

    async fn find(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        self.read(|state| Ok(state.find(id)))
    }

    async fn cancel(&self, id: TaskId, request: &CancelRequest) -> Result<Cancellation> {
        request.check()?;
        let now = self.clock.now();
        self.write(|state| state.cancel(id, request, now))
    }

    async fn changed(&self, timeout: Duration) {
        let mut changes = self.changed.subscribe();
        let _ = tokio::time::timeout(timeout, changes.changed()).await;
    }

    fn queue(&self) -> Option<&dyn TaskQueue> {
        Some(self)
    }

    fn admin(&self) -> Option<&dyn TaskAdmin> {
        Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).close();
    }
}
