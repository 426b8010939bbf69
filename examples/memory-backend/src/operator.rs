//! The operator's face: list, count, retry, prune, workers.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{
    Count, Error, ErrorKind, Filter, Page, Pausable, Paused, PruneRule, Result, TaskAdmin, TaskId, TaskPage,
    TaskRecord, TaskStatus, Timestamp, WorkerRecord,
};

use crate::MemoryBackend;

#[async_trait]
impl TaskAdmin for MemoryBackend {
    async fn list(&self, filter: &Filter, page: &Page) -> Result<TaskPage> {
        if !(1..=Page::MAX_SIZE).contains(&page.size) {
            let message = format!("a page has 1 to {} tasks", Page::MAX_SIZE);
            return Err(Error::new(ErrorKind::InvalidTask, message));
        }
        let before = match &page.after {
            None => u64::MAX,
            Some(mark) => mark
                .parse()
                .map_err(|_| Error::new(ErrorKind::InvalidTask, format!("`{mark}` is no mark of a page")))?,
        };
        self.read(|state| {
            let tasks = state.newest_first();
            let mut selected = tasks
                .filter(|(number, record)| *number < before && selects(filter, record))
                .peekable();
            let mut page_of = TaskPage::default();
            while page_of.tasks.len() < page.size
                && let Some((number, record)) = selected.next()
            {
                page_of.tasks.push(record);
                page_of.next = Some(number.to_string());
            }
            if selected.peek().is_none() {
                page_of.next = None;
            }
            Ok(page_of)
        })
    }

    async fn counts(&self) -> Result<Vec<Count>> {
        self.read(|state| {
            let mut counts: BTreeMap<_, Count> = BTreeMap::new();
            for (_, record) in state.newest_first() {
                let key = (record.queue.to_string(), record.status.as_str());
                let count = counts.entry(key).or_insert_with(|| Count {
                    queue: record.queue.to_string(),
                    status: record.status,
                    tasks: 0,
                });
                count.tasks += 1;
            }
            Ok(counts.into_values().collect())
        })
    }

    async fn retry(&self, id: TaskId) -> Result<TaskRecord> {
        let now = self.clock.now();
        self.write(|state| state.retry(id, now))
    }

    async fn prune(&self, rule: &PruneRule) -> Result<u64> {
        let now = self.clock.now();
        self.write(|state| {
            let old = state
                .newest_first()
                .filter(|(_, record)| is_old(rule, record, now));
            let old: Vec<TaskId> = old.map(|(_, record)| record.id).collect();
            if !rule.dry_run {
                old.iter().for_each(|id| state.forget(*id));
            }
            Ok(old.len() as u64)
        })
    }

    async fn set_paused(&self, what: &Pausable, is_paused: bool) -> Result<()> {
        self.write(|state| {
            match (what, is_paused) {
                (what, true) => state.paused.add(what.clone()),
                (Pausable::Queue(queue), false) => drop(state.paused.queues.remove(queue)),
                (Pausable::Task(task), false) => drop(state.paused.tasks.remove(task)),
            }
            Ok(())
        })
    }

    async fn paused(&self) -> Result<Paused> {
        self.read(|state| Ok(state.paused.clone()))
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        self.read(|state| {
            let living = state.claims.all_living();
            let records = living.map(|(number, worker)| WorkerRecord {
                id: worker.info.id.clone(),
                host: worker.info.host.clone(),
                pid: worker.info.pid,
                queues: worker.info.queues.clone(),
                concurrency: worker.info.concurrency,
                started_at: worker.joined_at,
                lease_until: worker.lease_until,
                claimed: state.claims.held_by(number).count() as u64,
            });
            Ok(records.collect())
        })
    }
}

/// Whether a filter selects this task. Empty lists select everything.
fn selects(filter: &Filter, record: &TaskRecord) -> bool {
    let is_one_of = |list: &[String], text: &str| list.is_empty() || list.iter().any(|item| item == text);
    (filter.statuses.is_empty() || filter.statuses.contains(&record.status))
        && is_one_of(&filter.queues, &record.queue)
        && is_one_of(&filter.names, &record.name)
}

/// Whether a rule deletes this task.
fn is_old(rule: &PruneRule, record: &TaskRecord, now: Timestamp) -> bool {
    let min_age = match record.status {
        TaskStatus::Successful => rule.min_age,
        _ => rule.failed_min_age.unwrap_or(rule.min_age),
    };
    let is_of_age = |finished_at: Timestamp| {
        // One that ended in the future, by this clock, is not old.
        Duration::try_from(now.duration_since(finished_at)).is_ok_and(|age| age >= min_age)
    };
    let is_selected = rule.queues.is_empty() || rule.queues.iter().any(|queue| *queue == *record.queue);
    is_selected && record.status.is_finished() && record.finished_at.is_some_and(is_of_age)
}
