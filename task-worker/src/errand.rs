//! What the fetcher has under way with the store while tasks go on.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{
    BackendAlias, Claim, ClaimRequest, Error, ErrorKind, GivenBack, Paused, Progress, Renewal, Result,
    TaskId, TaskQueue, TaskRecord, Wake, WorkerInfo, WorkerKey,
};

/// The longest pause before something is sent again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A thing under way.
pub(crate) type Errand = Pin<Box<dyn Future<Output = Report> + Send>>;

/// Ends of tasks that the store does not have yet, with the records to announce then.
#[derive(Debug, Default, Clone)]
pub(crate) struct Unwritten {
    pub(crate) progress: Arc<Progress>,
    pub(crate) records: Arc<Vec<TaskRecord>>,
}

/// What came of an errand.
#[derive(Debug)]
pub(crate) enum Report {
    /// Ends were written down; the tasks whose lease was lost are named.
    Finished {
        unwritten: Unwritten,
        answer: Result<Vec<TaskId>>,
        took: Duration,
    },
    /// Tasks were claimed.
    Claimed {
        request: ClaimRequest,
        answer: Result<Claim>,
        took: Duration,
    },
    /// The worker joined again.
    Joined {
        answer: Result<WorkerKey>,
        asked: Instant,
    },
    /// Tasks were given back; those whose lease was lost are where they belong.
    GaveBack {
        tasks: Arc<Vec<GivenBack>>,
        answer: Result<()>,
    },
    /// Something there may be to claim.
    Woken(Wake),
    /// The pause before the first claim is over.
    Rested,
}

/// Runs errands on one backend.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    alias: Arc<BackendAlias>,
}

impl Runner {
    pub(crate) fn new(alias: Arc<BackendAlias>) -> Self {
        Self { alias }
    }

    pub(crate) fn queue(&self) -> Result<&dyn TaskQueue> {
        self.alias.backend().queue().ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                format!("no worker can work on backend `{}`", self.alias.name()),
            )
        })
    }

    /// Writes ends down, after this pause.
    pub(crate) fn finish(self, unwritten: Unwritten, pause: Duration) -> Errand {
        Box::pin(async move {
            rest(pause).await;
            let asked = Instant::now();
            let answer = match self.queue() {
                Ok(queue) => queue.finish(unwritten.progress.clone()).await,
                Err(error) => Err(error),
            };
            Report::Finished {
                unwritten,
                answer,
                took: asked.elapsed(),
            }
        })
    }

    /// Claims tasks, after this pause.
    pub(crate) fn claim(self, request: ClaimRequest, pause: Duration) -> Errand {
        Box::pin(async move {
            rest(pause).await;
            let asked = Instant::now();
            let answer = match self.queue() {
                Ok(queue) => queue.claim(&request).await,
                Err(error) => Err(error),
            };
            Report::Claimed {
                request,
                answer,
                took: asked.elapsed(),
            }
        })
    }

    /// Joins, after this pause.
    pub(crate) fn join(self, info: WorkerInfo, pause: Duration) -> Errand {
        Box::pin(async move {
            rest(pause).await;
            let asked = Instant::now();
            let answer = match self.queue() {
                Ok(queue) => queue.join(&info).await,
                Err(error) => Err(error),
            };
            Report::Joined { answer, asked }
        })
    }

    /// What is paused when a worker begins. A store that does not say tells it with the heartbeat.
    pub(crate) async fn paused(&self, worker: WorkerKey, lease: Duration) -> Paused {
        let Ok(queue) = self.queue() else {
            return Paused::default();
        };
        match queue.renew(worker, lease).await {
            Ok(Renewal::Renewed { paused, .. }) => paused,
            Ok(Renewal::Lost) | Err(_) => Paused::default(),
        }
    }

    /// Gives tasks back, after this pause.
    pub(crate) fn give_back(self, tasks: Arc<Vec<GivenBack>>, pause: Duration) -> Errand {
        Box::pin(async move {
            rest(pause).await;
            let answer = match self.queue() {
                Ok(queue) => queue.give_back(tasks.clone()).await,
                Err(error) => Err(error),
            };
            Report::GaveBack { tasks, answer }
        })
    }

    /// Waits for something to claim.
    pub(crate) fn wait(self, since: Wake, timeout: Duration) -> Errand {
        Box::pin(async move {
            let wake = match self.queue() {
                Ok(queue) => queue.wait(since, timeout).await,
                Err(_) => since,
            };
            Report::Woken(wake)
        })
    }

    /// Tells the store that the worker ends.
    pub(crate) async fn leave(&self, worker: WorkerKey) {
        let left = match self.queue() {
            Ok(queue) => queue.leave(worker).await,
            Err(error) => Err(error),
        };
        if let Err(error) = left {
            tracing::warn!(%error, "could not say goodbye; the lease runs out by itself");
        }
    }
}

/// Does nothing for so long.
pub(crate) fn pause(pause: Duration) -> Errand {
    Box::pin(async move {
        rest(pause).await;
        Report::Rested
    })
}

/// Waits for what is under way; `None` when nothing is.
pub(crate) async fn end_of(errand: &mut Option<Errand>) -> Option<Report> {
    match errand {
        Some(errand) => Some(errand.await),
        None => None,
    }
}

/// Waits; not at all when there is nothing to wait for, where a timer would take its
/// millisecond.
async fn rest(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

/// How long to wait after so many failures in a row: a tenth of a second, doubling.
pub(crate) fn pause_after(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    (Duration::from_millis(100) * 2_u32.pow((failures - 1).min(10))).min(LONGEST_PAUSE)
}
