//! What each test plays on: a store of its own, workers in this process, a board.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use task_backends::{SqliteBackend, SqliteOptions};
use task_core::{
    BackendAlias, Backends, CancelRequest, Cancellation, Limits, NewTask, Registry, Result, RetryPolicy,
    Task, TaskBackend, TaskCall, TaskId, TaskRecord, TaskStatus, enqueue_many_on,
};
use task_worker::{Shutdown, Summary, Worker, WorkerOptions};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::system::{PATIENCE, eventually};
use crate::tasks::{self, Board};

/// What one test has to itself.
pub struct Stage {
    pub backends: Backends,
    pub board: Arc<Board>,
    /// The name of the board.
    pub on: String,
    folder: TempDir,
}

/// Every task of these tests.
pub fn everything() -> Registry {
    Registry::collected().expect("no two tasks of one name")
}

/// Options of a worker of this name that runs so many tasks at a time.
pub fn options(id: &str, concurrency: usize) -> WorkerOptions {
    WorkerOptions {
        id: id.to_owned(),
        concurrency,
        ..WorkerOptions::default()
    }
}

impl Stage {
    /// An empty store.
    pub async fn new() -> Self {
        Self::with_limits(Limits::DEFAULT).await
    }

    /// The same with these limits.
    pub async fn with_limits(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = SqliteOptions::new(folder.path().join("tasks.db"));
        let backend = SqliteBackend::open(options).await.expect("a new file");
        Self::behind(Arc::new(backend), limits, folder)
    }

    /// A stage with this backend, whose file is in this folder.
    pub fn behind(backend: Arc<dyn TaskBackend>, limits: Limits, folder: TempDir) -> Self {
        let backends = Backends::new([BackendAlias::new("default", backend, [], limits)]);
        let on = TaskId::new().to_string();
        Self {
            board: Board::put_up(&on, backends.clone()),
            backends,
            on,
            folder,
        }
    }

    /// The file of the store.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("tasks.db")
    }

    /// The name of the board, as an argument.
    pub fn on(&self) -> &str {
        &self.on
    }

    pub fn alias(&self) -> Arc<BackendAlias> {
        self.backends.get("default").expect("the only one").clone()
    }

    /// A worker that knows everything and runs so many tasks at a time.
    pub fn hire(&self, id: &str, concurrency: usize) -> Hired {
        self.hire_with(options(id, concurrency), everything())
    }

    /// A worker with these options that knows these tasks.
    pub fn hire_with(&self, options: WorkerOptions, registry: Registry) -> Hired {
        let worker = Worker::new(self.alias(), registry, options).expect("a worker like any other");
        let shutdown = Shutdown::new();
        Hired {
            running: tokio::spawn(worker.run(shutdown.clone())),
            shutdown,
        }
    }

    /// Enqueues these calls.
    pub async fn enqueue<T: Task>(&self, calls: impl IntoIterator<Item = TaskCall<T>>) -> Vec<TaskId> {
        let calls = calls.into_iter().collect();
        let results = enqueue_many_on(calls, &self.backends).await.expect("accepted");
        results.iter().map(|result| result.id()).collect()
    }

    /// Enqueues one call.
    pub async fn enqueue_one<T: Task>(&self, call: TaskCall<T>) -> TaskId {
        self.enqueue([call]).await[0]
    }

    /// Enqueues a task that no function was asked about.
    pub async fn enqueue_raw(&self, name: &str, arguments: &str) -> TaskId {
        let task = NewTask {
            id: TaskId::new(),
            name: name.into(),
            queue: "default".into(),
            priority: 0,
            run_after: None,
            arguments: arguments.into(),
            policy: RetryPolicy::DEFAULT,
            metadata: None,
            unique: None,
        };
        let records = self.alias().backend().enqueue(vec![task]).await;
        records.expect("accepted")[0].id
    }

    pub async fn cancel(&self, id: TaskId) -> Cancellation {
        let canceled = self.alias().backend().cancel(id, &CancelRequest::default()).await;
        canceled.expect("the task is there")
    }

    pub async fn find(&self, id: TaskId) -> TaskRecord {
        self.alias().record(id).await.expect("the task is there")
    }

    /// The record of a task once it has ended.
    pub async fn ends(&self, id: TaskId) -> TaskRecord {
        eventually("the end of a task", async || {
            let record = self.find(id).await;
            if record.status.is_finished() {
                Ok(record)
            } else {
                Err(format!("{record:?}"))
            }
        })
        .await
    }

    /// The same, in this state.
    pub async fn ends_as(&self, id: TaskId, status: TaskStatus) -> TaskRecord {
        let record = self.ends(id).await;
        assert_eq!(record.status, status, "{record:?}");
        record
    }

    /// Returns when exactly so many tasks run that can be counted.
    pub async fn runs(&self, tasks: usize) {
        eventually(&format!("{tasks} running tasks"), async || {
            match self.board.running() {
                running if running == tasks => Ok(()),
                running => Err(format!("{running}")),
            }
        })
        .await;
    }
}

/// A worker at work. It is ended with the test.
pub struct Hired {
    pub shutdown: Shutdown,
    running: JoinHandle<Result<Summary>>,
}

impl Hired {
    /// How it ends by itself.
    pub async fn ended(&mut self) -> Result<Summary> {
        let ended = tokio::time::timeout(PATIENCE, &mut self.running).await;
        ended.expect("it ends").expect("it does not panic")
    }

    /// Asks it to stop and returns what it did.
    pub async fn stop(mut self) -> Summary {
        self.shutdown.stop();
        self.ended().await.expect("it ends well")
    }
}

impl Drop for Hired {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// How long "at once" may take where a heartbeat is what tells the worker.
pub const A_HEARTBEAT: Duration = Duration::from_millis(1_500);

/// So that `tasks` is linked and named where a test only needs a name.
pub const NOTE: &str = <tasks::note as Task>::ENTRY.name();
