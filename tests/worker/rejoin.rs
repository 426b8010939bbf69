//! A worker that was given up and comes back.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use task_backends::{SqliteBackend, SqliteOptions};
use task_core::{
    CancelRequest, Cancellation, Capabilities, Claim, ClaimRequest, GivenBack, Limits, NewTask, Progress,
    Renewal, Rescued, Result, TaskAdmin, TaskBackend, TaskId, TaskQueue, TaskRecord, TaskStatus, Timestamp,
    Wake, WorkerInfo, WorkerKey,
};
use tokio::sync::watch;

use crate::stage::Stage;
use crate::system::{eventually, within};
use crate::tasks::note;

/// Long enough for a worker that can claim.
const A_FEW_HEARTBEATS: Duration = Duration::from_secs(10);

/// A store in which the worker learns of its loss twice: when it wants to claim, and again,
/// from its heartbeat, in the moment in which it has joined again.
#[derive(Debug)]
struct LateNews {
    store: SqliteBackend,
    joined: AtomicUsize,
    /// Whether the heartbeat may hear of the loss now.
    may_hear: watch::Sender<bool>,
    heard: watch::Sender<bool>,
}

impl LateNews {
    fn queue(&self) -> &dyn TaskQueue {
        self.store.queue().expect("SQLite has a face for workers")
    }

    /// As if the lease had run out and somebody had taken over.
    async fn give_up_the_worker(&self) {
        self.queue().leave(WorkerKey(1)).await.expect("it can be written");
    }
}

#[async_trait]
impl TaskBackend for LateNews {
    fn kind(&self) -> &'static str {
        self.store.kind()
    }
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
    async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        self.store.enqueue(tasks).await
    }
    async fn find(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        self.store.find(id).await
    }
    async fn cancel(&self, id: TaskId, request: &CancelRequest) -> Result<Cancellation> {
        self.store.cancel(id, request).await
    }
    async fn changed(&self, timeout: Duration) {
        self.store.changed(timeout).await;
    }
    fn queue(&self) -> Option<&dyn TaskQueue> {
        Some(self)
    }
    fn admin(&self) -> Option<&dyn TaskAdmin> {
        self.store.admin()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    async fn close(&self) {
        self.store.close().await;
    }
}

#[async_trait]
impl TaskQueue for LateNews {
    async fn join(&self, worker: &WorkerInfo) -> Result<WorkerKey> {
        let key = self.queue().join(worker).await;
        if self.joined.fetch_add(1, Ordering::SeqCst) == 1 {
            self.may_hear.send_replace(true);
            // Blocks on purpose: the worker must not look up before its heartbeat has spoken.
            let mut heard = self.heard.subscribe();
            tokio::task::block_in_place(|| {
                let waiting = async {
                    let _ = heard.wait_for(|heard| *heard).await;
                };
                tokio::runtime::Handle::current().block_on(waiting);
                std::thread::sleep(Duration::from_millis(100));
            });
        }
        key
    }
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim> {
        self.queue().claim(request).await
    }
    async fn finish(&self, progress: Arc<Progress>) -> Result<Vec<TaskId>> {
        self.queue().finish(progress).await
    }
    async fn give_back(&self, tasks: Arc<Vec<GivenBack>>) -> Result<()> {
        self.queue().give_back(tasks).await
    }
    async fn renew(&self, worker: WorkerKey, lease: Duration) -> Result<Renewal> {
        let renewal = self.queue().renew(worker, lease).await;
        if matches!(renewal, Ok(Renewal::Lost)) && worker == WorkerKey(1) {
            let mut may_hear = self.may_hear.subscribe();
            let _ = may_hear.wait_for(|may| *may).await;
            self.heard.send_replace(true);
        }
        renewal
    }
    async fn rescue(&self, limit: usize) -> Result<Rescued> {
        self.queue().rescue(limit).await
    }
    async fn wait(&self, since: Wake, timeout: Duration) -> Wake {
        self.queue().wait(since, timeout).await
    }
    async fn last_ticks(&self, schedules: &[Arc<str>]) -> Result<Vec<Timestamp>> {
        self.queue().last_ticks(schedules).await
    }
    async fn ticked(&self, schedule: &str, tick: Timestamp) -> Result<()> {
        self.queue().ticked(schedule, tick).await
    }
    async fn leave(&self, worker: WorkerKey) -> Result<()> {
        self.queue().leave(worker).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn late_news_of_a_lost_lease_does_not_end_the_next_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteBackend::open(SqliteOptions::new(folder.path().join("tasks.db"))).await;
    let backend = Arc::new(LateNews {
        store: store.expect("a new file"),
        joined: AtomicUsize::new(0),
        may_hear: watch::Sender::new(false),
        heard: watch::Sender::new(false),
    });
    let stage = Stage::behind(backend.clone(), Limits::DEFAULT, folder);
    let _worker = stage.hire("worker", 1);
    let first = stage.enqueue_one(note::new(stage.on(), "first")).await;
    stage.ends_as(first, TaskStatus::Successful).await;

    backend.give_up_the_worker().await;
    let second = stage.enqueue_one(note::new(stage.on(), "second")).await;
    eventually("the worker to join again", async || {
        match backend.joined.load(Ordering::SeqCst) {
            joined if joined >= 2 => Ok(()),
            joined => Err(format!("joined {joined} times")),
        }
    })
    .await;
    within(A_FEW_HEARTBEATS, "the task to be run", async || {
        let record = stage.find(second).await;
        if record.status == TaskStatus::Successful {
            Ok(())
        } else {
            Err(format!("{record:?}"))
        }
    })
    .await;
    assert_eq!(backend.joined.load(Ordering::SeqCst), 2);
}
