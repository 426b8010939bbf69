//! Looking at a backend again and again without being a burden to it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use task_core::{Count, Filter, Page, Result, TaskAdmin, TaskRecord, TaskStatus, Timestamp, WorkerRecord};

use super::sample::{Counted, Oldest, Sample, TaskLine};

/// What a look may cost: after one that took a second the next of its kind is twenty seconds later.
const SHARE: u32 = 20;

/// How many waiting tasks are looked at for the oldest.
const WAITING: usize = Page::MAX_SIZE;

/// How many tasks that ended are looked at for names and times.
const ENDED: usize = 200;

/// Looks at one backend.
pub(super) struct Reader<'a> {
    admin: &'a dyn TaskAdmin,
    backend: String,
    counts: Paced<Counted>,
    /// The counts before, for rates.
    before: Option<Counted>,
    waiting: Paced<BTreeMap<String, Oldest>>,
    ended: Paced<Vec<TaskLine>>,
    workers: Paced<Vec<WorkerRecord>>,
}

/// What was seen last, and when to look again.
struct Paced<T> {
    seen: T,
    again_at: Instant,
}

impl<T: Default> Paced<T> {
    fn new() -> Self {
        Self {
            seen: T::default(),
            again_at: Instant::now(),
        }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.again_at
    }

    /// Keeps what a look brought that began then; returns what was seen before.
    fn keep(&mut self, seen: T, began: Instant) -> T {
        self.again_at = Instant::now() + pause(began.elapsed());
        std::mem::replace(&mut self.seen, seen)
    }
}

/// How long to wait after a look that took so long.
fn pause(took: Duration) -> Duration {
    took.saturating_mul(SHARE)
}

impl<'a> Reader<'a> {
    pub(super) fn new(admin: &'a dyn TaskAdmin, backend: &str) -> Self {
        Self {
            admin,
            backend: backend.to_owned(),
            counts: Paced::new(),
            before: None,
            waiting: Paced::new(),
            ended: Paced::new(),
            workers: Paced::new(),
        }
    }

    /// Looks at whatever is due.
    pub(super) async fn look(&mut self) -> Result<Sample> {
        let began = Instant::now();
        if self.workers.is_due() {
            let workers = self.admin.workers().await?;
            self.workers.keep(workers, began);
        }
        if self.counts.is_due() {
            self.count().await?;
        }
        let began = Instant::now();
        if self.waiting.is_due() {
            let seen = oldest(self.list(&[TaskStatus::Ready], WAITING).await?);
            self.waiting.keep(seen, began);
        }
        let began = Instant::now();
        if self.ended.is_due() {
            let (records, _) = self
                .list(&[TaskStatus::Successful, TaskStatus::Failed], ENDED)
                .await?;
            self.ended.keep(TaskLine::of(&records), began);
        }
        Ok(self.sample())
    }

    /// The same, counting now whatever it costs: nobody looks again.
    pub(super) async fn look_at_everything(&mut self) -> Result<Sample> {
        self.counts.again_at = Instant::now();
        self.look().await
    }

    async fn count(&mut self) -> Result<()> {
        let began = Instant::now();
        let counted = Counted::new(self.admin.counts().await?, Instant::now());
        let before = self.counts.keep(counted, began);
        self.before = Some(before).filter(Counted::is_there);
        Ok(())
    }

    /// The first page of what is in these states, and whether that was all.
    async fn list(&self, statuses: &[TaskStatus], size: usize) -> Result<(Vec<TaskRecord>, bool)> {
        let filter = Filter {
            statuses: statuses.to_vec(),
            ..Filter::default()
        };
        let page = Page { size, after: None };
        let page = self.admin.list(&filter, &page).await?;
        Ok((page.tasks, page.next.is_none()))
    }

    fn sample(&self) -> Sample {
        Sample::new(
            &self.backend,
            &self.counts.seen,
            self.before.as_ref(),
            &self.waiting.seen,
            self.workers.seen.clone(),
            self.ended.seen.clone(),
        )
    }
}

/// Since when the oldest task of each queue is due, among those that are due.
fn oldest((records, is_all): (Vec<TaskRecord>, bool)) -> BTreeMap<String, Oldest> {
    let now = Timestamp::now();
    let mut oldest: BTreeMap<String, Oldest> = BTreeMap::new();
    for record in records {
        let due = record.run_after.unwrap_or(record.enqueued_at);
        if due > now {
            continue;
        }
        let entry = oldest.entry(record.queue.to_string());
        let oldest = entry.or_insert(Oldest {
            due,
            is_exact: is_all,
        });
        oldest.due = oldest.due.min(due);
    }
    oldest
}

impl Counted {
    fn new(counts: Vec<Count>, at: Instant) -> Self {
        let mut queues: BTreeMap<String, BTreeMap<&'static str, u64>> = BTreeMap::new();
        for count in counts {
            let states = queues.entry(count.queue).or_default();
            *states.entry(count.status.as_str()).or_default() += count.tasks;
        }
        Self { queues, at: Some(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_takes_long_is_rare_and_a_quick_one_is_not() {
        assert_eq!(pause(Duration::from_millis(10)), Duration::from_millis(200));
        assert_eq!(pause(Duration::from_secs(3)), Duration::from_secs(60));
        let mut paced = Paced::<u8>::new();
        assert!(paced.is_due());
        let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(1)) else {
            return;
        };
        assert_eq!((paced.keep(7, long_ago), paced.seen), (0, 7));
        assert!(!paced.is_due() && paced.again_at > Instant::now() + Duration::from_secs(15));
    }
}
