//! Claimed tasks that have not started yet, and how far each batch was started.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use task_core::{AttemptError, Claimed, FailureKind, TaskId};

/// The tasks in this worker's memory, in the order in which to start them.
///
/// A task counts against `max_lost` only if it may have begun when its worker died, so
/// the store is told how far each batch was started. For most tasks it may learn that a
/// moment later; a task that must never run twice waits until the store knows.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    waiting: VecDeque<Claimed>,
    batches: BTreeMap<i64, Started>,
}

/// How far a batch was started.
#[derive(Debug, Clone, Copy)]
struct Started {
    /// Positions below this may have begun, or are about to.
    through: u32,
    /// The store knows of the positions below this.
    known: u32,
    /// Tasks of the batch still in the backlog.
    waiting: usize,
    /// When the batch came.
    since: Instant,
    /// The cell of the plan it was claimed for.
    cell: usize,
}

impl Backlog {
    /// Adds a batch that was claimed for a cell of the plan and came at `now`; the store counts its
    /// first `starting` as started.
    pub(crate) fn add(&mut self, tasks: Vec<Claimed>, starting: usize, cell: usize, now: Instant) {
        if let Some(first) = tasks.first() {
            // As the store counts: where something ran before, nothing counts as started yet.
            let has_rerun = tasks.iter().any(|task| task.record.attempts > 0);
            let starting = if has_rerun { 0 } else { starting };
            let known = u32::try_from(starting.min(tasks.len())).unwrap_or(u32::MAX);
            let batch = Started {
                through: known,
                known,
                waiting: tasks.len(),
                since: now,
                cell,
            };
            self.batches.insert(first.lease.batch(), batch);
        }
        self.waiting.extend(tasks);
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the next task waits until the store knows that it will start.
    pub(crate) fn is_held_back(&self) -> bool {
        self.waiting.front().is_some_and(|front| {
            let known = self
                .batches
                .get(&front.lease.batch())
                .map_or(0, |batch| batch.known);
            is_careful(front) && front.lease.position() >= known
        })
    }

    /// Adds up how many tasks of each cell wait.
    pub(crate) fn count(&self, cells: &mut [usize]) {
        for batch in self.batches.values() {
            cells[batch.cell] += batch.waiting;
        }
    }

    /// Takes the next task to start, with its cell and the moment at which its batch came. `None` when
    /// there is none, or when the next [is held back](Self::is_held_back): from here on
    /// [`Backlog::untold`] names it.
    pub(crate) fn next(&mut self) -> Option<(Claimed, usize, Instant)> {
        let front = self.waiting.front()?;
        let position = front.lease.position();
        let batch = self.batches.get_mut(&front.lease.batch())?;
        batch.through = batch.through.max(position + 1);
        if is_careful(front) && position >= batch.known {
            return None;
        }
        batch.waiting -= 1;
        let (cell, since) = (batch.cell, batch.since);
        self.waiting.pop_front().map(|task| (task, cell, since))
    }

    /// By batch, how far it was started where the store does not know yet. Batches that
    /// were started to their end are forgotten here once the store knows.
    pub(crate) fn untold(&self) -> Vec<(i64, u32)> {
        let untold = self
            .batches
            .iter()
            .filter(|(_, batch)| batch.through > batch.known);
        untold.map(|(batch, started)| (*batch, started.through)).collect()
    }

    /// The store was told.
    pub(crate) fn told(&mut self, started: &[(i64, u32)]) {
        for (number, through) in started {
            if let Some(batch) = self.batches.get_mut(number) {
                batch.known = batch.known.max(*through);
            }
        }
        self.batches
            .retain(|_, batch| batch.waiting > 0 || batch.through > batch.known);
    }

    /// Takes these tasks out.
    pub(crate) fn remove(&mut self, ids: &[TaskId]) -> Vec<Claimed> {
        self.take(|task| ids.contains(&task.lease.id()))
    }

    /// Takes out what this is true of.
    pub(crate) fn take(&mut self, is_taken: impl Fn(&Claimed) -> bool) -> Vec<Claimed> {
        let (removed, waiting): (Vec<Claimed>, Vec<Claimed>) = self.waiting.drain(..).partition(is_taken);
        self.waiting = waiting.into();
        for task in &removed {
            if let Some(batch) = self.batches.get_mut(&task.lease.batch()) {
                batch.waiting -= 1;
            }
        }
        removed
    }

    /// Takes everything out.
    pub(crate) fn empty(&mut self) -> Vec<Claimed> {
        self.batches.clear();
        self.waiting.drain(..).collect()
    }
}

/// Whether a task may only start when the store knows: one that must never run twice, and
/// one that lost a worker before. The latter may be what kills workers, or only have run
/// beside it: so it counts against a task only if the task had really begun.
fn is_careful(task: &Claimed) -> bool {
    let lost = |error: &AttemptError| error.failure.kind == FailureKind::WorkerLost;
    task.record.policy.is_at_most_once() || task.record.errors.iter().any(lost)
}

#[cfg(test)]
mod tests {
    use task_core::{Lease, TaskContext, TaskFailure};

    use super::*;

    fn batch(number: i64, tasks: u32, max_lost: u32) -> Vec<Claimed> {
        (0..tasks)
            .map(|position| {
                let mut record = TaskContext::detached("task").record().clone();
                record.policy.max_lost = max_lost;
                record.attempts = 0;
                let claimed_at = record.enqueued_at;
                Claimed {
                    lease: Lease::new(record.id, number, position, [0; 3]),
                    record,
                    last_attempt: 1,
                    claimed_at,
                }
            })
            .collect()
    }

    #[test]
    fn the_store_learns_how_far_a_batch_was_started() {
        let mut backlog = Backlog::default();
        backlog.add(batch(7, 3, 3), 1, 0, Instant::now());
        assert!(backlog.next().is_some());
        assert_eq!(
            backlog.untold(),
            [],
            "the claim itself said that the first one starts"
        );
        assert!(backlog.next().is_some());
        assert_eq!(backlog.untold(), [(7, 2)]);
        backlog.told(&[(7, 2)]);
        assert_eq!(backlog.untold(), []);
        assert!(backlog.next().is_some());
        assert_eq!(
            backlog.untold(),
            [(7, 3)],
            "also when nothing of the batch waits any more"
        );
        backlog.told(&[(7, 3)]);
        assert!(backlog.batches.is_empty());
        assert!(backlog.next().is_none());
    }

    #[test]
    fn a_task_that_must_not_run_twice_waits_until_the_store_knows() {
        let mut backlog = Backlog::default();
        backlog.add(batch(7, 2, 0), 1, 0, Instant::now());
        assert!(backlog.next().is_some(), "the first was announced with the claim");
        assert!(backlog.next().is_none() && backlog.is_held_back());
        assert_eq!(backlog.untold(), [(7, 2)]);
        backlog.told(&[(7, 2)]);
        assert!(backlog.next().is_some());
    }

    #[test]
    fn a_task_that_lost_a_worker_waits_until_the_store_knows_and_the_others_do_not() {
        let mut backlog = Backlog::default();
        let mut tasks = batch(7, 2, 3);
        let again = &mut tasks[1].record;
        again.attempts = 1;
        again.errors.push(AttemptError {
            attempt: 1,
            worker_id: "dead".to_owned(),
            started_at: again.enqueued_at,
            ended_at: again.enqueued_at,
            failure: TaskFailure::new(FailureKind::WorkerLost, "gone"),
        });
        backlog.add(tasks, 2, 0, Instant::now());
        assert!(backlog.next().is_some(), "the first never ran");
        assert!(backlog.next().is_none() && backlog.is_held_back());
        backlog.told(&[(7, 2)]);
        assert!(backlog.next().is_some());
    }
}
