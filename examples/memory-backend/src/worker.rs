//! The worker's face: join, claim, finish, give back, stay alive, rescue, wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{
    Claim, ClaimRequest, Claimed, Error, ErrorKind, GivenBack, Lease, Progress, Renewal, Rescued, Result,
    RunAfter, TaskId, TaskQueue, Timestamp, Wake, WorkerInfo, WorkerKey,
};

use crate::MemoryBackend;
use crate::state::{Batch, State, Worker};

#[async_trait]
impl TaskQueue for MemoryBackend {
    async fn join(&self, worker: &WorkerInfo) -> Result<WorkerKey> {
        let is_long = !(1..=64).contains(&worker.id.len());
        if is_long || worker.id.chars().any(char::is_control) {
            return Err(Error::new(
                ErrorKind::InvalidTask,
                "a worker id has 1 to 64 bytes without control characters",
            ));
        }
        let now = self.clock.now();
        self.write(|state| {
            let namesake = |other: &Worker| other.info.id == worker.id;
            let mut living = state.claims.all_living();
            if living.any(|(_, other)| namesake(other) && other.lease_until >= now) {
                let message = format!("a worker `{}` is alive already", worker.id);
                return Err(Error::new(ErrorKind::State, message));
            }
            drop(living);
            // One whose lease ran out is given up here; its tasks wait for a rescuer.
            state.claims.end(|_, other| namesake(other));
            Ok(WorkerKey(state.claims.add_worker(Worker {
                info: worker.clone(),
                joined_at: now,
                lease_until: lease_until(now, worker.lease),
                has_ended: false,
            })))
        })
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim> {
        let now = self.clock.now();
        self.write(|state| claim(state, request, now))
    }

    async fn finish(&self, progress: Arc<Progress>) -> Result<Vec<TaskId>> {
        let now = self.clock.now();
        self.write(|state| {
            for (batch, below) in &progress.started {
                state.claims.started(*batch, *below);
            }
            let mut refused = Vec::new();
            for finish in &progress.finished {
                if !state.finish(finish, now) {
                    refused.push(finish.lease.id());
                }
            }
            state.claims.forget_idle();
            Ok(refused)
        })
    }

    async fn give_back(&self, tasks: Arc<Vec<GivenBack>>) -> Result<()> {
        let now = self.clock.now();
        self.write(|state| {
            tasks.iter().for_each(|task| state.give_back(task, now));
            state.claims.forget_idle();
            Ok(())
        })
    }

    async fn renew(&self, worker: WorkerKey, lease: Duration) -> Result<Renewal> {
        let now = self.clock.now();
        self.write(|state| {
            let Some(living) = state.claims.living(worker.0) else {
                return Ok(Renewal::Lost);
            };
            living.lease_until = lease_until(now, lease);
            let canceled = state.unwanted(worker.0);
            Ok(Renewal::Renewed {
                canceled,
                paused: state.paused.clone(),
                now,
            })
        })
    }

    async fn rescue(&self, limit: usize) -> Result<Rescued> {
        let now = self.clock.now();
        self.write(|state| {
            let mut rescued = Rescued {
                workers: state.claims.end(|_, worker| worker.lease_until < now),
                ..Rescued::default()
            };
            for (number, batch, position) in state.claims.orphans(limit) {
                match state.rescue(number, batch, position, now) {
                    Some(true) => rescued.returned += 1,
                    Some(false) => rescued.failed += 1,
                    None => {}
                }
            }
            state.claims.forget_idle();
            Ok(rescued)
        })
    }

    async fn wait(&self, since: Wake, timeout: Duration) -> Wake {
        let mut changes = self.ready.subscribe();
        let _ = tokio::time::timeout(timeout, changes.wait_for(|count| *count > since.0)).await;
        Wake(*self.ready.borrow())
    }

    async fn last_ticks(&self, schedules: &[Arc<str>]) -> Result<Vec<Timestamp>> {
        let now = self.clock.now();
        self.write(|state| {
            let last = |schedule: &Arc<str>| *state.ticks.entry(schedule.to_string()).or_insert(now);
            Ok(schedules.iter().map(last).collect())
        })
    }

    async fn ticked(&self, schedule: &str, tick: Timestamp) -> Result<()> {
        self.write(|state| {
            let last = state.ticks.entry(schedule.to_owned()).or_insert(tick);
            *last = tick.max(*last);
            Ok(())
        })
    }

    async fn leave(&self, worker: WorkerKey) -> Result<()> {
        self.write(|state| {
            state.claims.end(|number, _| number == worker.0);
            Ok(())
        })
    }
}

fn lease_until(now: Timestamp, lease: Duration) -> Timestamp {
    RunAfter::In(lease).due(now)
}

/// Takes tasks to run.
fn claim(state: &mut State, request: &ClaimRequest, now: Timestamp) -> Result<Claim> {
    let worker = request.worker.0;
    if state.claims.living(worker).is_none() {
        return Err(Error::new(
            ErrorKind::State,
            "this worker left or was given up; it must join again to claim",
        ));
    }
    let numbers = state.first_waiting(request.limit, now, |record| {
        request.queues.includes(&record.queue) && request.names.contains(&*record.name)
    });
    let next_due = state.next_due();
    let next_due = next_due.map(|due| Duration::try_from(due.duration_since(now)).unwrap_or_default());
    if numbers.is_empty() {
        return Ok(Claim {
            damaged: 0,
            tasks: Vec::new(),
            next_due,
        });
    }
    let batch = state.claims.add_batch(Batch {
        worker,
        claimed_at: now,
        started: 0,
        tasks: (0..).zip(numbers.iter().copied()).collect::<BTreeMap<_, _>>(),
    });
    let mut tasks = Vec::with_capacity(numbers.len());
    for (position, number) in (0..).zip(numbers) {
        let Some(kept) = state.hold(number, batch, position) else {
            continue;
        };
        let keys = [i64::try_from(number).unwrap_or(i64::MAX), 0, 0];
        tasks.push(Claimed {
            lease: Lease::new(kept.record.id, batch, position, keys),
            record: kept.record.clone(),
            last_attempt: kept.last_attempt,
            claimed_at: now,
        });
    }
    // Beside a task that ran before, none counts as started until the worker says so: what
    // kills its worker shall not take its neighbours' attempts with it.
    if tasks.iter().all(|task| task.record.attempts == 0) {
        let starting = request.starting.min(tasks.len());
        state
            .claims
            .started(batch, u32::try_from(starting).unwrap_or(u32::MAX));
    }
    Ok(Claim {
        tasks,
        damaged: 0,
        next_due,
    })
}
