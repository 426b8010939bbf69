//! Enqueueing what tasks have a schedule for.
//!
//! Every worker that knows such a task and takes from its queue does it, and none leads. The task of a
//! tick has the same id wherever it is made, and a store takes no id twice: whoever comes second finds
//! the task there. Then the store keeps the tick as the last one, so that it does not come again after
//! the task itself was deleted.

use std::sync::Arc;
use std::time::Duration;

use task_core::{BackendAlias, Registry, Result, Schedule, TaskEntry, TaskQueue, Timestamp};

use crate::errand::pause_after;
use crate::store_time::StoreTime;
use crate::worker::WorkerOptions;

/// The longest sleep: a timer does not notice that the machine was suspended.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// One schedule, as far as this worker knows.
struct Known {
    entry: TaskEntry,
    schedule: Schedule,
    /// The next tick after the last one the store knew; `None` where there is none any more.
    next: Option<Timestamp>,
}

/// The schedules of one worker.
pub(crate) struct Scheduler {
    alias: Arc<BackendAlias>,
    time: Arc<StoreTime>,
    entries: Vec<(TaskEntry, Schedule)>,
}

impl Scheduler {
    /// Of the tasks that go to this backend and to a queue the worker takes from; `None` when none of
    /// them has a schedule, and for a worker that ends when nothing is due.
    pub(crate) fn new(
        alias: &Arc<BackendAlias>,
        registry: &Registry,
        options: &WorkerOptions,
        time: &Arc<StoreTime>,
    ) -> Option<Self> {
        let is_ours = |entry: &&TaskEntry| {
            entry.default_backend() == alias.name() && options.queues.includes(entry.default_queue())
        };
        let ours = registry.iter().filter(is_ours);
        let entries: Vec<_> = ours
            .filter_map(|entry| Some((*entry, entry.schedule()?)))
            .collect();
        (!entries.is_empty() && !options.batch).then(|| Self {
            alias: alias.clone(),
            time: time.clone(),
            entries,
        })
    }

    /// Enqueues tasks when they are due, for as long as the worker lives.
    pub(crate) async fn run(self) {
        let Some(queue) = self.alias.backend().queue() else {
            return;
        };
        let mut said = self.time.subscribe();
        let mut failures = 0;
        let mut known = loop {
            match self.learn(queue).await {
                Ok(known) => break known,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, "cannot read the last ticks of schedules, trying again");
                    tokio::time::sleep(pause_after(failures)).await;
                }
            }
        };
        failures = 0;
        loop {
            let now = self.time.now().await;
            let mut has_failed = false;
            for known in &mut known {
                if known.next.is_none_or(|next| next > now) {
                    continue;
                }
                if let Err(error) = self.catch_up(queue, known, now).await {
                    has_failed = true;
                    let task = known.entry.name();
                    tracing::warn!(task, %error, "cannot enqueue a scheduled task, trying again");
                }
            }
            failures = if has_failed { failures + 1 } else { 0 };
            if has_failed {
                tokio::time::sleep(pause_after(failures)).await;
                continue;
            }
            said.mark_unchanged();
            let sleep = until_next(&known, self.time.now().await);
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                _ = said.changed() => {}
            }
        }
    }

    /// Makes the schedules known to the store and reads their last ticks.
    async fn learn(&self, queue: &dyn TaskQueue) -> Result<Vec<Known>> {
        let names: Vec<Arc<str>> = self
            .entries
            .iter()
            .map(|(entry, _)| entry.name().into())
            .collect();
        let last = queue.last_ticks(&names).await?;
        let now = self.time.now().await;
        let known = self.entries.iter().zip(last).map(|(&(entry, schedule), last)| {
            if last > now + Duration::from_secs(1) {
                tracing::warn!(
                    task = entry.name(),
                    "the last tick {last} lies ahead of the store's time {now}: the next one comes after it"
                );
            }
            Known {
                entry,
                schedule,
                next: schedule.next_after(last),
            }
        });
        Ok(known.collect())
    }

    /// Enqueues what is due of one schedule.
    async fn catch_up(&self, queue: &dyn TaskQueue, known: &mut Known, now: Timestamp) -> Result<()> {
        let name = known.entry.name();
        // Another worker may be further, and its tasks deleted already.
        let last = queue.last_ticks(&[name.into()]).await?;
        let last = last.first().copied().unwrap_or(now);
        let Some((ticks, latest)) = known.schedule.to_enqueue(last, now) else {
            known.next = known.schedule.next_after(last);
            return Ok(());
        };
        for tick in &ticks {
            self.enqueue(&known.entry, *tick).await?;
        }
        if ticks.is_empty() {
            tracing::warn!(task = name, %latest, "left out ticks that no worker was there for");
        }
        queue.ticked(name, latest).await?;
        known.next = known.schedule.next_after(latest);
        Ok(())
    }

    /// Enqueues the task of a tick unless it is there.
    async fn enqueue(&self, entry: &TaskEntry, tick: Timestamp) -> Result<()> {
        let task = entry.at_tick(tick, &self.alias)?;
        let (id, backend) = (task.id, self.alias.backend());
        match backend.enqueue(vec![task]).await {
            Ok(_) => tracing::debug!(task = entry.name(), %tick, %id, "enqueued a scheduled task"),
            // Another worker was sooner, or this one did not hear that it had succeeded.
            Err(error) => match backend.find(id).await {
                Ok(Some(_)) => {}
                _ => return Err(error),
            },
        }
        Ok(())
    }
}

/// How long to sleep before anything can be due.
fn until_next(known: &[Known], now: Timestamp) -> Duration {
    let next = known.iter().filter_map(|known| known.next).min();
    let left = next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
    left.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)
}
