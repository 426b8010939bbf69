//! Keeps tasks and never runs them: for tests of code that enqueues.

mod enqueued;

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use task_core::{
    BackendAlias, CancelRequest, Cancellation, Capabilities, Clock, Error, ErrorKind, NewTask, Result, Task,
    TaskAdmin, TaskBackend, TaskId, TaskQueue, TaskRecord, TaskStatus, signals,
};
use tokio::sync::Notify;

pub use enqueued::{Enqueued, EnqueuedCall};

/// Collects what is enqueued, in order, and never runs it; a test then asks what was.
///
/// Clones share what they collected: keep one in the test and hand the other to
/// [`Backends`](task_core::Backends), under one alias or under several.
#[derive(Debug, Clone, Default)]
pub struct DummyBackend {
    kept: Arc<Mutex<Kept>>,
    changed: Arc<Notify>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<TaskRecord>,
    /// Where in `records` each task stands.
    places: HashMap<TaskId, usize>,
}

impl DummyBackend {
    /// An empty backend.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that was enqueued and not cleared, in order. Copies: changes later on
    /// do not show in them.
    pub fn records(&self) -> Vec<TaskRecord> {
        self.locked(|kept| kept.records.clone())
    }

    /// The dummy behind an alias, where the settings made it one: for tests of code that
    /// enqueues on the backends of the process.
    ///
    /// ```
    /// # use task_backends::DummyBackend;
    /// # use task_core::Backends;
    /// # fn example() -> task_core::Result<()> {
    /// let dummy = DummyBackend::of(Backends::global()?.get("default")?)?;
    /// dummy.assert_none();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidBackend`] when it is another kind of backend.
    pub fn of(alias: &BackendAlias) -> Result<Self> {
        let backend = alias.backend();
        backend.as_any().downcast_ref().cloned().ok_or_else(|| {
            let (name, kind) = (alias.name(), backend.kind());
            let message = format!("the backend `{name}` is `{kind}` and not `dummy`");
            Error::new(ErrorKind::InvalidBackend, message)
                .hint("backend = \"dummy\" in the settings of the test, or TASKS_<ALIAS>_BACKEND=dummy")
        })
    }

    /// The calls of this task that were enqueued and not cleared, in order, under its name and
    /// its older ones. A task that was canceled was enqueued, too.
    ///
    /// # Panics
    /// When somebody enqueued, by hand, arguments that the task could not read.
    #[track_caller]
    pub fn enqueued<T: Task>(&self) -> Enqueued<T> {
        Enqueued::of(self.records())
    }

    /// Waits until at least so many calls of this task were enqueued, at most this long, and
    /// returns all of them: for code under test that enqueues from a task of its own.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] with a list of what was enqueued instead.
    pub async fn wait_for<T: Task>(&self, count: usize, timeout: Duration) -> Result<Enqueued<T>> {
        let waiting = async {
            loop {
                // Before looking, so that what is enqueued meanwhile still wakes this.
                let changed = self.changed.notified();
                if self.enqueued::<T>().count() >= count {
                    return;
                }
                changed.await;
            }
        };
        let ended = tokio::time::timeout(timeout, waiting).await;
        let enqueued = self.enqueued::<T>();
        if ended.is_err() && enqueued.count() < count {
            let message = format!("{}, after {timeout:?}", enqueued.told(count));
            return Err(Error::new(ErrorKind::TimedOut, message));
        }
        Ok(enqueued)
    }

    /// Panics if anything was enqueued and not cleared, with a list of it.
    ///
    /// # Panics
    /// As it says.
    #[track_caller]
    pub fn assert_none(&self) {
        let records = self.records();
        assert!(
            records.is_empty(),
            "expected no task at all, found {}{}",
            records.len(),
            enqueued::list(&records)
        );
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.locked(|kept| *kept = Kept::default());
        self.changed.notify_waiters();
    }

    fn locked<R>(&self, work: impl FnOnce(&mut Kept) -> R) -> R {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl TaskBackend for DummyBackend {
    fn kind(&self) -> &'static str {
        "dummy"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            priority: true,
            defer: true,
            async_task: true,
            get_result: false,
            durable: false,
        }
    }

    async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        let now = self.clock.now();
        let accepted: Vec<TaskRecord> = tasks.into_iter().map(|task| task.accepted(now)).collect();
        self.locked(|kept| {
            let mut places = HashMap::with_capacity(accepted.len());
            for (index, task) in accepted.iter().enumerate() {
                let twin = places.insert(task.id, kept.records.len() + index).is_some();
                if twin || kept.places.contains_key(&task.id) {
                    return Err(Error::new(
                        ErrorKind::State,
                        format!("task {} is enqueued already", task.id),
                    ));
                }
            }
            kept.places.extend(places);
            kept.records.extend(accepted.iter().cloned());
            Ok(())
        })?;
        for record in &accepted {
            signals::TASK_ENQUEUED.send(record);
        }
        self.changed.notify_waiters();
        Ok(accepted)
    }

    async fn find(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        Ok(self.locked(|kept| Some(kept.records[*kept.places.get(&id)?].clone())))
    }

    async fn cancel(&self, id: TaskId, request: &CancelRequest) -> Result<Cancellation> {
        request.check()?;
        let now = self.clock.now();
        let canceled = self.locked(|kept| {
            let place = *kept.places.get(&id)?;
            let record = &mut kept.records[place];
            if record.status.is_finished() {
                return Some(Cancellation::AlreadyFinished);
            }
            record.status = TaskStatus::Canceled;
            record.finished_at = Some(now);
            record.cancel_request = Some(request.clone());
            Some(Cancellation::Canceled)
        });
        self.changed.notify_waiters();
        canceled.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no task {id}")))
    }

    async fn changed(&self, timeout: Duration) {
        // Late is as good as early here: the caller looks again either way.
        let _ = tokio::time::timeout(timeout, self.changed.notified()).await;
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
