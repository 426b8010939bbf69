//! A worker that a case plays: it claims, and tells how attempts ended, without running anything.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use task_core::{
    Claim, ClaimRequest, Claimed, Error, FailureKind, Finish, GivenBack, Outcome, Progress, QueueSelection,
    Renewal, TaskBackend, TaskFailure, TaskId, TaskQueue, WorkerInfo, WorkerKey,
};

use crate::scene::{LEASE, NAMES, failure};

/// A worker that has joined. Its methods panic where a living worker may expect success.
pub struct PlayedWorker {
    backend: Arc<dyn TaskBackend>,
    /// What it is to the store.
    pub key: WorkerKey,
    queues: QueueSelection,
    names: Arc<HashSet<String>>,
}

/// How a worker of this name introduces itself.
pub fn introduction(id: &str) -> WorkerInfo {
    WorkerInfo {
        id: id.to_owned(),
        host: "host-1".to_owned(),
        pid: 4711,
        queues: QueueSelection::default().to_string(),
        concurrency: 8,
        lease: LEASE,
    }
}

impl PlayedWorker {
    /// Joins under this name, takes from all queues and knows `conformance::echo` and a few names
    /// of tasks that are nowhere.
    pub async fn join(backend: &Arc<dyn TaskBackend>, id: &str, lease: Duration) -> Self {
        let mut worker = Self {
            backend: backend.clone(),
            key: WorkerKey(0),
            queues: QueueSelection::default(),
            names: Arc::new(NAMES.map(ToOwned::to_owned).into()),
        };
        worker.key = worker
            .queue()
            .join(&WorkerInfo {
                lease,
                ..introduction(id)
            })
            .await
            .expect("the worker may join");
        worker
    }

    /// The same worker, taking from these queues.
    pub fn only(mut self, queues: &[&str]) -> Self {
        self.queues.only = Some(queues.iter().map(|queue| (*queue).to_owned()).collect());
        self
    }

    /// The same worker, taking from all queues but these.
    pub fn except(mut self, queues: &[&str]) -> Self {
        self.queues.except = queues.iter().map(|queue| (*queue).to_owned()).collect();
        self
    }

    /// The same worker, knowing only these tasks.
    pub fn knowing(mut self, names: &[&str]) -> Self {
        self.names = Arc::new(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// The worker's face of its backend.
    pub fn queue(&self) -> &dyn TaskQueue {
        self.backend
            .queue()
            .expect("a backend listed with `worker` has a worker's face")
    }

    /// A wish for so many tasks, all of which start at once.
    pub fn request(&self, limit: usize) -> ClaimRequest {
        ClaimRequest {
            worker: self.key,
            queues: self.queues.clone(),
            names: self.names.clone(),
            limit,
            starting: limit,
        }
    }

    /// Claims, and says what came of it.
    pub async fn try_claim(&self, limit: usize) -> Result<Claim, Error> {
        self.queue().claim(&self.request(limit)).await
    }

    /// Claims at most so many tasks and starts all of them.
    pub async fn claim(&self, limit: usize) -> Vec<Claimed> {
        let claimed = self
            .try_claim(limit)
            .await
            .expect("the worker lives and may claim")
            .tasks;
        // Where something ran before, a claim alone says of nothing that it starts.
        if claimed.iter().any(|task| task.record.attempts > 0) {
            let all = u32::try_from(claimed.len()).expect("a claim is small");
            self.start(claimed[0].lease.batch(), all).await;
        }
        claimed
    }

    /// Claims at most so many tasks, the first `starting` of which start at once.
    pub async fn claim_starting(&self, limit: usize, starting: usize) -> Vec<Claimed> {
        let request = ClaimRequest {
            starting,
            ..self.request(limit)
        };
        let claim = self.queue().claim(&request).await;
        claim.expect("the worker lives and may claim").tasks
    }

    /// Claims the only task there is to claim.
    pub async fn claim_one(&self) -> Claimed {
        let mut claimed = self.claim(2).await;
        assert_eq!(claimed.len(), 1, "one task is there to claim");
        claimed.pop().expect("one task")
    }

    /// Claims, so many at a time, until nothing is left.
    pub async fn claim_all(&self, limit: usize) -> Vec<Claimed> {
        let mut all = Vec::new();
        loop {
            let some = self.claim(limit).await;
            assert!(some.len() <= limit, "at most what was asked for");
            if some.is_empty() {
                return all;
            }
            all.extend(some);
        }
    }

    /// Tells how attempts ended and returns the tasks whose lease was refused.
    pub async fn tell(&self, finished: Vec<Finish>) -> Vec<TaskId> {
        let progress = Progress::new(finished, Vec::new());
        let answer = self.queue().finish(Arc::new(progress)).await;
        answer.expect("the store takes what it is told")
    }

    /// Tells how attempts ended, all by leases that are valid.
    pub async fn finish(&self, finished: Vec<Finish>) {
        assert_eq!(self.tell(finished).await, [], "no lease is refused");
    }

    /// Says that of this batch the tasks below this position were started.
    pub async fn start(&self, batch: i64, below: u32) {
        let progress = Progress::new(Vec::new(), vec![(batch, below)]);
        let answer = self.queue().finish(Arc::new(progress)).await;
        answer.expect("the store takes what it is told");
    }

    /// Gives claimed tasks back.
    pub async fn give_back(&self, tasks: Vec<GivenBack>) {
        let answer = self.queue().give_back(Arc::new(tasks)).await;
        answer.expect("the store takes back what it is given");
    }

    /// Says that it lives.
    pub async fn renew(&self) -> Renewal {
        let answer = self.queue().renew(self.key, LEASE).await;
        answer.expect("the store answers a heartbeat")
    }

    /// The tasks that the worker is asked to stop.
    pub async fn asked_to_stop(&self) -> Vec<TaskId> {
        match self.renew().await {
            Renewal::Renewed { canceled, .. } => canceled,
            Renewal::Lost => panic!("the worker lives"),
        }
    }

    /// Leaves.
    pub async fn leave(&self) {
        let answer = self.queue().leave(self.key).await;
        answer.expect("a worker may leave");
    }
}

/// The end of the attempt that this claim began. It took two milliseconds, from one after the claim.
pub fn ended(claimed: Claimed, outcome: Outcome) -> Finish {
    Finish {
        attempt: claimed.record.attempts + 1,
        last_attempt: claimed.last_attempt,
        started_at: claimed.claimed_at + Duration::from_millis(1),
        ended_at: claimed.claimed_at + Duration::from_millis(3),
        outcome,
        lease: claimed.lease,
    }
}

/// It returned this JSON.
pub fn succeeded(claimed: Claimed, value: &str) -> Finish {
    ended(claimed, Outcome::Succeeded(value.to_owned()))
}

/// It failed for good.
pub fn failed(claimed: Claimed, message: &str) -> Finish {
    ended(claimed, Outcome::Failed(failure(message)))
}

/// It failed and runs again after this time.
pub fn failed_for_now(claimed: Claimed, message: &str, delay: Duration) -> Finish {
    ended(claimed, Outcome::Retry(failure(message), delay))
}

/// It ended because somebody asked for it.
pub fn obeyed(claimed: Claimed) -> Finish {
    let failure = TaskFailure::new(FailureKind::Canceled, "the task was canceled while it ran");
    ended(claimed, Outcome::Canceled(failure))
}

/// It goes back, never started.
pub fn unstarted(claimed: Claimed) -> GivenBack {
    GivenBack {
        attempt: claimed.record.attempts + 1,
        last_attempt: claimed.last_attempt,
        interrupted: None,
        snooze: None,
        lease: claimed.lease,
    }
}

/// It goes back for so long.
pub fn snoozing(claimed: Claimed, snooze: Duration) -> GivenBack {
    GivenBack {
        snooze: Some(snooze),
        ..unstarted(claimed)
    }
}

/// It goes back in the middle of its attempt.
pub fn interrupted(claimed: Claimed, failure: TaskFailure) -> GivenBack {
    GivenBack {
        interrupted: Some((claimed.claimed_at, failure)),
        ..unstarted(claimed)
    }
}

/// The ids of what was claimed, in order.
pub fn claimed_ids(claimed: &[Claimed]) -> Vec<TaskId> {
    claimed.iter().map(|task| task.record.id).collect()
}
