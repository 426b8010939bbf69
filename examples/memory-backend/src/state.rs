//! The tasks, and every change of them. Nothing here waits or reads a clock.

mod claims;
mod waiting;

use std::collections::{BTreeMap, HashMap, HashSet};

use task_core::{
    AttemptError, CancelRequest, Cancellation, Error, ErrorKind, FailureKind, Finish, GivenBack, NewTask,
    Outcome, Paused, Result, RunAfter, TaskFailure, TaskId, TaskRecord, TaskStatus, Timestamp, Unique,
    UniqueUntil,
};

pub(crate) use claims::{Batch, Claims, Worker};
use waiting::Waiting;

/// Everything that is kept.
#[derive(Default)]
pub(crate) struct State {
    /// By number, which is given in the order of arrival and never twice.
    tasks: BTreeMap<u64, Kept>,
    numbers: HashMap<TaskId, u64>,
    last_number: u64,
    waiting: Waiting,
    pub(crate) claims: Claims,
    pub(crate) paused: Paused,
    /// The last tick of each schedule.
    pub(crate) ticks: HashMap<String, Timestamp>,
    /// Who holds a key. One that does not keep others out any more stays until somebody asks for it.
    holders: HashMap<[u8; 16], Holder>,
    /// Something can be claimed that could not be before.
    made_ready: bool,
    is_closed: bool,
}

/// One task.
pub(crate) struct Kept {
    /// As it was before a claim, if it is claimed: the attempt is written down when it ended.
    pub(crate) record: TaskRecord,
    /// The attempt whose failure is final.
    pub(crate) last_attempt: u32,
    /// Workers lost since it was enqueued, or since an operator let it run again.
    losses: u32,
    /// Its batch and the place in it. This is what a lease is compared with: a task that was
    /// taken from its worker has another batch or none.
    held: Option<(i64, u32)>,
    /// Who wants it to end.
    wanted_by: Option<CancelRequest>,
}

/// Who holds a key, and for how long.
struct Holder {
    number: u64,
    until: UniqueUntil,
}

/// An attempt that ended, or was broken off.
struct Attempt<'a> {
    worker_id: &'a str,
    number: u32,
    started_at: Timestamp,
    ended_at: Timestamp,
    failure: Option<&'a TaskFailure>,
}

impl Kept {
    /// Writes an attempt into the task's history.
    fn note(&mut self, attempt: &Attempt<'_>) {
        let record = &mut self.record;
        record.attempts = attempt.number;
        record.worker_ids.push(attempt.worker_id.to_owned());
        record.started_at = record.started_at.or(Some(attempt.started_at));
        record.last_attempted_at = Some(attempt.started_at);
        record.errors.extend(attempt.failure.map(|failure| AttemptError {
            attempt: attempt.number,
            worker_id: attempt.worker_id.to_owned(),
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            failure: failure.clone(),
        }));
    }

    fn end(&mut self, status: TaskStatus, now: Timestamp) {
        self.record.status = status;
        self.record.finished_at = Some(now);
        self.record.cancel_request = self.wanted_by.take().filter(|_| status == TaskStatus::Canceled);
    }
}

impl State {
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed {
            return Err(Error::new(ErrorKind::State, "this store was closed"));
        }
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        *self = Self {
            is_closed: true,
            ..Self::default()
        };
    }

    pub(crate) fn take_made_ready(&mut self) -> bool {
        std::mem::take(&mut self.made_ready)
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The task that keeps others of this key out.
    fn holder(&self, unique: Unique, now: Timestamp) -> Option<&Kept> {
        let holder = self.holders.get(&unique.key)?;
        let kept = self.tasks.get(&holder.number)?;
        let keeps_out = match holder.until {
            UniqueUntil::Started => kept.held.is_none() && kept.record.status == TaskStatus::Ready,
            UniqueUntil::For(time) => RunAfter::In(time).due(kept.record.enqueued_at) > now,
            _ => !kept.record.status.is_finished(),
        };
        keeps_out.then_some(kept)
    }

    /// Stores all tasks or none, but for those whose key is held: for these the record of who holds it
    /// comes back. Says of each whether it is new.
    pub(crate) fn enqueue(&mut self, tasks: Vec<NewTask>, now: Timestamp) -> Result<Vec<(TaskRecord, bool)>> {
        let mut new = HashSet::with_capacity(tasks.len());
        for task in &tasks {
            if !new.insert(task.id) || self.numbers.contains_key(&task.id) {
                let message = format!("task {} is enqueued already", task.id);
                return Err(Error::new(ErrorKind::State, message));
            }
        }
        let mut answers = Vec::with_capacity(tasks.len());
        for task in tasks {
            let unique = task.unique;
            if let Some(holder) = unique.and_then(|unique| self.holder(unique, now)) {
                answers.push((self.seen(holder), false));
                continue;
            }
            let record = task.accepted(now);
            self.last_number += 1;
            if let Some(Unique { key, until }) = unique {
                let number = self.last_number;
                self.holders.insert(key, Holder { number, until });
            }
            let number = self.last_number;
            self.numbers.insert(record.id, number);
            let kept = Kept {
                last_attempt: record.policy.max_attempts,
                record: record.clone(),
                losses: 0,
                held: None,
                wanted_by: None,
            };
            self.tasks.insert(number, kept);
            self.put_in_line(number, now);
            answers.push((record, true));
        }
        Ok(answers)
    }

    /// Lets a task wait for a worker.
    fn put_in_line(&mut self, number: u64, now: Timestamp) {
        if let Some(kept) = self.tasks.get(&number) {
            self.made_ready |= self.waiting.add(number, &kept.record, now);
        }
    }

    /// The task as everybody sees it: one that is claimed is running.
    fn seen(&self, kept: &Kept) -> TaskRecord {
        let record = kept.record.clone();
        let batch = kept.held.and_then(|(batch, _)| self.claims.batch(batch));
        match batch {
            Some(batch) => record.running(self.claims.name(batch.worker), batch.claimed_at),
            None => record,
        }
    }

    pub(crate) fn find(&self, id: TaskId) -> Option<TaskRecord> {
        let kept = self.tasks.get(self.numbers.get(&id)?)?;
        Some(self.seen(kept))
    }

    /// All tasks with their numbers, the one enqueued last first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (u64, TaskRecord)> {
        let tasks = self.tasks.iter().rev();
        tasks.map(|(number, kept)| (*number, self.seen(kept)))
    }

    fn require(&mut self, id: TaskId) -> Result<(u64, &mut Kept)> {
        let number = self.numbers.get(&id).copied();
        let kept = number.and_then(|number| Some((number, self.tasks.get_mut(&number)?)));
        kept.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no task {id}")))
    }

    pub(crate) fn cancel(
        &mut self,
        id: TaskId,
        request: &CancelRequest,
        now: Timestamp,
    ) -> Result<Cancellation> {
        let (number, kept) = self.require(id)?;
        if kept.record.status.is_finished() {
            return Ok(Cancellation::AlreadyFinished);
        }
        kept.wanted_by.get_or_insert_with(|| request.clone());
        if kept.held.is_some() {
            return Ok(Cancellation::Requested);
        }
        kept.end(TaskStatus::Canceled, now);
        self.waiting.remove(number);
        Ok(Cancellation::Canceled)
    }

    /// Lets a task run again that had ended badly.
    pub(crate) fn retry(&mut self, id: TaskId, now: Timestamp) -> Result<TaskRecord> {
        let (number, kept) = self.require(id)?;
        let record = &mut kept.record;
        if !matches!(record.status, TaskStatus::Failed | TaskStatus::Canceled) {
            let message = format!(
                "task {id} is {}, only failed and canceled ones run again",
                record.status
            );
            return Err(Error::new(ErrorKind::State, message));
        }
        record.status = TaskStatus::Ready;
        record.finished_at = None;
        record.cancel_request = None;
        record.run_after = Some(now);
        kept.last_attempt = record.attempts.saturating_add(record.policy.max_attempts);
        kept.losses = 0;
        let record = record.clone();
        self.put_in_line(number, now);
        Ok(record)
    }

    /// Forgets a task that has ended.
    pub(crate) fn forget(&mut self, id: TaskId) {
        if let Some(number) = self.numbers.remove(&id) {
            self.tasks.remove(&number);
        }
    }

    /// The first waiting tasks that `fits` wants, at most so many, in the order in which to run.
    pub(crate) fn first_waiting(
        &mut self,
        limit: usize,
        now: Timestamp,
        fits: impl Fn(&TaskRecord) -> bool,
    ) -> Vec<u64> {
        self.waiting.promote(now);
        let fitting = |number: &u64| self.tasks.get(number).is_some_and(|kept| fits(&kept.record));
        self.waiting.ready().filter(fitting).take(limit).collect()
    }

    /// When the next scheduled task is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.waiting.next_due()
    }

    /// Gives a waiting task to a batch.
    pub(crate) fn hold(&mut self, number: u64, batch: i64, position: u32) -> Option<&Kept> {
        self.waiting.remove(number);
        let kept = self.tasks.get_mut(&number)?;
        kept.held = Some((batch, position));
        Some(kept)
    }

    /// Takes a task out of its batch, if the lease is still valid.
    fn release(&mut self, number: u64, batch: i64) -> Option<(&mut Kept, i64)> {
        let kept = self.tasks.get_mut(&number)?;
        let (held_by, position) = kept.held?;
        if held_by != batch {
            return None;
        }
        kept.held = None;
        let worker = self.claims.strike_off(batch, position)?;
        Some((kept, worker))
    }

    /// Writes down how an attempt ended; `false` when the lease is no longer valid.
    pub(crate) fn finish(&mut self, finish: &Finish, now: Timestamp) -> bool {
        let number = number_of(finish.lease.keys());
        let Some((_, worker)) = self.release(number, finish.lease.batch()) else {
            return false;
        };
        let worker_id = self.claims.name(worker).to_owned();
        let Some(kept) = self.tasks.get_mut(&number) else {
            return false;
        };
        let failure = match &finish.outcome {
            Outcome::Succeeded(_) => None,
            Outcome::Retry(failure, _) | Outcome::Failed(failure) | Outcome::Canceled(failure) => {
                Some(failure)
            }
        };
        kept.note(&Attempt {
            worker_id: &worker_id,
            number: finish.attempt,
            started_at: finish.started_at,
            ended_at: finish.ended_at,
            failure,
        });
        kept.last_attempt = finish.last_attempt;
        match &finish.outcome {
            Outcome::Succeeded(value) => {
                kept.record.return_value = Some(value.clone());
                kept.end(TaskStatus::Successful, finish.ended_at);
                if is_forgettable(&kept.record) {
                    self.forget(finish.lease.id());
                }
            }
            Outcome::Canceled(_) => kept.end(TaskStatus::Canceled, finish.ended_at),
            Outcome::Retry(..) | Outcome::Failed(_) if kept.wanted_by.is_some() => {
                kept.end(TaskStatus::Canceled, finish.ended_at);
            }
            Outcome::Failed(_) => kept.end(TaskStatus::Failed, finish.ended_at),
            Outcome::Retry(_, delay) => {
                kept.record.run_after = Some(RunAfter::In(*delay).due(finish.ended_at));
                self.put_in_line(number, now);
            }
        }
        true
    }

    /// Takes a task back from its worker, if the lease is still valid.
    pub(crate) fn give_back(&mut self, task: &GivenBack, now: Timestamp) {
        let number = number_of(task.lease.keys());
        let batch = task.lease.batch();
        if let (Some(snooze), Some(kept)) = (task.snooze, self.tasks.get_mut(&number))
            && kept.held.is_some_and(|(held_by, _)| held_by == batch)
        {
            kept.record.run_after = Some(RunAfter::In(snooze).due(now));
        }
        self.put_back(number, batch, task.interrupted.clone(), now);
    }

    /// Returns a task of a lost worker: `true` when it waits again, `false` when it ended.
    pub(crate) fn rescue(&mut self, number: u64, batch: i64, position: u32, now: Timestamp) -> Option<bool> {
        let (started, claimed_at, worker) = {
            let batch = self.claims.batch(batch)?;
            (position < batch.started, batch.claimed_at, batch.worker)
        };
        let kept = self.tasks.get(&number)?;
        let interrupted = started.then(|| {
            let failure = lost(
                self.claims.name(worker),
                kept.losses + 1,
                kept.record.policy.max_lost,
            );
            (claimed_at, failure)
        });
        self.put_back(number, batch, interrupted, now)
    }

    /// Puts a claimed task back in line. One that was started keeps the attempt in its history,
    /// and may have been started once too often.
    fn put_back(
        &mut self,
        number: u64,
        batch: i64,
        interrupted: Option<(Timestamp, TaskFailure)>,
        now: Timestamp,
    ) -> Option<bool> {
        let (_, worker) = self.release(number, batch)?;
        let worker_id = self.claims.name(worker).to_owned();
        let kept = self.tasks.get_mut(&number)?;
        let mut may_run = true;
        if let Some((started_at, failure)) = interrupted {
            kept.note(&Attempt {
                worker_id: &worker_id,
                number: kept.record.attempts + 1,
                started_at,
                ended_at: now,
                failure: Some(&failure),
            });
            // Not the task's own failure: the attempt whose failure is final moves on.
            kept.last_attempt = kept.last_attempt.saturating_add(1);
            kept.losses += u32::from(failure.kind == FailureKind::WorkerLost);
            may_run = kept.record.policy.runs_after_loss(kept.losses);
        }
        if kept.wanted_by.is_some() || !may_run {
            let status = if kept.wanted_by.is_some() {
                TaskStatus::Canceled
            } else {
                TaskStatus::Failed
            };
            kept.end(status, now);
            return Some(false);
        }
        self.put_in_line(number, now);
        Some(true)
    }

    /// The tasks of a worker that somebody wants to end.
    pub(crate) fn unwanted(&self, worker: i64) -> Vec<TaskId> {
        let numbers = self.claims.held_by(worker);
        numbers
            .filter_map(|number| self.tasks.get(&number))
            .filter(|kept| kept.wanted_by.is_some())
            .map(|kept| kept.record.id)
            .collect()
    }
}

/// Whether nobody will ask what came of it: so says the application with `"forget": true` in the
/// task's metadata, which it may set where the task is defined or for one call.
fn is_forgettable(record: &TaskRecord) -> bool {
    record.metadata().get("forget") == Some(&true.into())
}

/// The first of a lease's keys is the number of its task.
pub(crate) fn number_of(keys: [i64; 3]) -> u64 {
    u64::try_from(keys[0]).unwrap_or(0)
}

/// Why an attempt ended whose worker was lost.
fn lost(worker: &str, losses: u32, max_lost: u32) -> TaskFailure {
    let mut message = format!("the worker `{worker}` was lost while it ran the task");
    if max_lost == 0 {
        message += ", which may not run twice (max_lost = 0)";
    } else if losses > max_lost {
        message += &format!("; {losses} were lost, and max_lost is {max_lost}");
    }
    TaskFailure::new(FailureKind::WorkerLost, message)
}
