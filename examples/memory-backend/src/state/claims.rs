//! Who works, and what each of them holds.

use std::collections::BTreeMap;

use task_core::{Timestamp, WorkerInfo};

/// A worker that joined.
pub(crate) struct Worker {
    pub(crate) info: WorkerInfo,
    pub(crate) joined_at: Timestamp,
    pub(crate) lease_until: Timestamp,
    /// It left or was given up. It is remembered for as long as it holds tasks.
    pub(crate) has_ended: bool,
}

/// Tasks that were claimed together.
pub(crate) struct Batch {
    pub(crate) worker: i64,
    pub(crate) claimed_at: Timestamp,
    /// Tasks at positions below this may have been started.
    pub(crate) started: u32,
    /// What is still held, by position.
    pub(crate) tasks: BTreeMap<u32, u64>,
}

/// Workers and batches by number; no number is used twice.
#[derive(Default)]
pub(crate) struct Claims {
    workers: BTreeMap<i64, Worker>,
    batches: BTreeMap<i64, Batch>,
    last_number: i64,
}

impl Claims {
    pub(crate) fn add_worker(&mut self, worker: Worker) -> i64 {
        self.last_number += 1;
        self.workers.insert(self.last_number, worker);
        self.last_number
    }

    pub(crate) fn add_batch(&mut self, batch: Batch) -> i64 {
        self.last_number += 1;
        self.batches.insert(self.last_number, batch);
        self.last_number
    }

    /// The living worker of this number.
    pub(crate) fn living(&mut self, worker: i64) -> Option<&mut Worker> {
        self.workers.get_mut(&worker).filter(|worker| !worker.has_ended)
    }

    /// All living workers, in the order in which they joined.
    pub(crate) fn all_living(&self) -> impl Iterator<Item = (i64, &Worker)> {
        let living = self.workers.iter().filter(|(_, worker)| !worker.has_ended);
        living.map(|(number, worker)| (*number, worker))
    }

    /// Ends the living workers for which this holds, and says how many.
    pub(crate) fn end(&mut self, is_over: impl Fn(i64, &Worker) -> bool) -> usize {
        let mut ended = 0;
        for (number, worker) in &mut self.workers {
            if !worker.has_ended && is_over(*number, worker) {
                worker.has_ended = true;
                ended += 1;
            }
        }
        self.forget_idle();
        ended
    }

    pub(crate) fn name(&self, worker: i64) -> &str {
        self.workers
            .get(&worker)
            .map_or("", |worker| worker.info.id.as_str())
    }

    pub(crate) fn batch(&self, batch: i64) -> Option<&Batch> {
        self.batches.get(&batch)
    }

    /// Tasks of this batch at positions below this may have been started, or of more.
    pub(crate) fn started(&mut self, batch: i64, below: u32) {
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.started = batch.started.max(below);
        }
    }

    /// Takes a task off its batch, and says whose that is.
    pub(crate) fn strike_off(&mut self, batch: i64, position: u32) -> Option<i64> {
        let held = self.batches.get_mut(&batch)?;
        held.tasks.remove(&position)?;
        Some(held.worker)
    }

    /// The tasks that a worker holds.
    pub(crate) fn held_by(&self, worker: i64) -> impl Iterator<Item = u64> {
        let batches = self.batches.values().filter(move |batch| batch.worker == worker);
        batches.flat_map(|batch| batch.tasks.values().copied())
    }

    /// What workers hold that have ended, as task, batch and position; at most so many.
    pub(crate) fn orphans(&self, limit: usize) -> Vec<(u64, i64, u32)> {
        let is_ended = |worker: i64| self.workers.get(&worker).is_none_or(|worker| worker.has_ended);
        let batches = self.batches.iter().filter(|(_, batch)| is_ended(batch.worker));
        let tasks = batches.flat_map(|(number, batch)| {
            let tasks = batch.tasks.iter();
            tasks.map(move |(position, task)| (*task, *number, *position))
        });
        tasks.take(limit).collect()
    }

    /// Forgets empty batches, and workers that have ended and hold nothing.
    pub(crate) fn forget_idle(&mut self) {
        self.batches.retain(|_, batch| !batch.tasks.is_empty());
        let batches = &self.batches;
        self.workers.retain(|number, worker| {
            !worker.has_ended || batches.values().any(|batch| batch.worker == *number)
        });
    }
}
