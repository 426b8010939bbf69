//! What `top` shows: a backend at one moment, with rates since the moment before.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use task_core::{TaskRecord, TaskStatus, Timestamp, WorkerRecord};

/// Tasks by queue and state, as they were counted once.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    pub(super) queues: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// When; `None` when nobody counted yet.
    pub(super) at: Option<Instant>,
}

impl Counted {
    pub(super) fn is_there(&self) -> bool {
        self.at.is_some()
    }

    fn tasks(&self, queue: &str, statuses: &[TaskStatus]) -> u64 {
        let Some(states) = self.queues.get(queue) else {
            return 0;
        };
        let of = |status: &TaskStatus| states.get(status.as_str()).copied().unwrap_or(0);
        statuses.iter().map(of).sum()
    }
}

/// Since when the oldest waiting task of a queue is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Oldest {
    pub(super) due: Timestamp,
    /// Whether there is certainly none that waits longer.
    pub(super) is_exact: bool,
}

/// How many per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Rates {
    pub(super) enqueued: f64,
    pub(super) started: f64,
    pub(super) finished: f64,
    pub(super) failed: f64,
}

impl Rates {
    fn add(&mut self, more: &Self) {
        self.enqueued += more.enqueued;
        self.started += more.started;
        self.finished += more.finished;
        self.failed += more.failed;
    }
}

/// One queue.
#[derive(Debug, Clone, Serialize)]
pub(super) struct QueueLine {
    pub(super) queue: String,
    /// Tasks that wait, due or not.
    pub(super) waiting: u64,
    pub(super) running: u64,
    /// Seconds since the oldest is due.
    pub(super) oldest_s: Option<i64>,
    /// Whether none waits longer than that.
    pub(super) oldest_is_exact: bool,
    /// Not known before a second count.
    pub(super) per_second: Option<Rates>,
}

/// One task's name, among the tasks that were enqueued last and have ended.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TaskLine {
    pub(super) task: String,
    pub(super) ended: u64,
    pub(super) failed: u64,
    pub(super) mean_ms: f64,
    pub(super) longest_ms: f64,
}

/// A backend at one moment.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) backend: String,
    pub(super) queues: Vec<QueueLine>,
    pub(super) total: QueueLine,
    pub(super) workers: Vec<WorkerRecord>,
    pub(super) tasks: Vec<TaskLine>,
    /// How long ago tasks were counted.
    pub(super) counted: Duration,
}

impl Sample {
    pub(super) fn new(
        backend: &str,
        now: &Counted,
        before: Option<&Counted>,
        oldest: &BTreeMap<String, Oldest>,
        workers: Vec<WorkerRecord>,
        tasks: Vec<TaskLine>,
    ) -> Self {
        let clock = Timestamp::now();
        let mut queues: Vec<QueueLine> = now
            .queues
            .keys()
            .map(|queue| line(queue, now, before, oldest.get(queue), clock))
            .collect();
        let total = total(&queues);
        // What somebody would look for first: where tasks wait, then where they run.
        queues.sort_by(|a, b| {
            (b.waiting, b.running)
                .cmp(&(a.waiting, a.running))
                .then_with(|| a.queue.cmp(&b.queue))
        });
        Self {
            backend: backend.to_owned(),
            queues,
            total,
            workers,
            tasks,
            counted: now.at.map_or(Duration::ZERO, |at| at.elapsed()),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "backend": self.backend,
            "total": self.total,
            "queues": self.queues,
            "workers": self.workers,
            "tasks": self.tasks,
        })
    }
}

fn line(
    queue: &str,
    now: &Counted,
    before: Option<&Counted>,
    oldest: Option<&Oldest>,
    clock: Timestamp,
) -> QueueLine {
    let age = |oldest: &Oldest| clock.duration_since(oldest.due).as_secs().max(0);
    QueueLine {
        queue: queue.to_owned(),
        waiting: now.tasks(queue, &[TaskStatus::Ready, TaskStatus::Waiting]),
        running: now.tasks(queue, &[TaskStatus::Running]),
        oldest_s: oldest.map(age),
        oldest_is_exact: oldest.is_none_or(|oldest| oldest.is_exact),
        per_second: before.and_then(|before| rates(queue, before, now)),
    }
}

/// How many per second between two counts. Tasks that were deleted meanwhile count as none.
fn rates(queue: &str, before: &Counted, now: &Counted) -> Option<Rates> {
    const ENDED: [TaskStatus; 3] = [TaskStatus::Successful, TaskStatus::Failed, TaskStatus::Canceled];
    let begun = [&ENDED[..], &[TaskStatus::Running]].concat();
    let seconds = now.at?.duration_since(before.at?).as_secs_f64();
    let rate = |statuses: &[TaskStatus]| {
        let more = now
            .tasks(queue, statuses)
            .saturating_sub(before.tasks(queue, statuses));
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let rate = more as f64 / seconds.max(0.001);
        rate
    };
    Some(Rates {
        enqueued: rate(&TaskStatus::ALL),
        started: rate(&begun),
        finished: rate(&ENDED),
        failed: rate(&[TaskStatus::Failed]),
    })
}

fn total(queues: &[QueueLine]) -> QueueLine {
    let mut per_second = None::<Rates>;
    for rates in queues.iter().filter_map(|queue| queue.per_second.as_ref()) {
        per_second.get_or_insert_default().add(rates);
    }
    QueueLine {
        queue: "(all)".to_owned(),
        waiting: queues.iter().map(|queue| queue.waiting).sum(),
        running: queues.iter().map(|queue| queue.running).sum(),
        oldest_s: queues.iter().filter_map(|queue| queue.oldest_s).max(),
        oldest_is_exact: queues.iter().all(|queue| queue.oldest_is_exact),
        per_second,
    }
}

impl TaskLine {
    /// By name, the one that took most time in all first.
    pub(super) fn of(records: &[TaskRecord]) -> Vec<Self> {
        let mut lines: BTreeMap<&str, (u64, u64, f64, f64)> = BTreeMap::new();
        for record in records {
            let (Some(began), Some(ended)) = (record.last_attempted_at, record.finished_at) else {
                continue;
            };
            let ms = ended.duration_since(began).as_secs_f64() * 1000.0;
            let (count, failed, sum, longest) = lines.entry(&record.name).or_default();
            *count += 1;
            *failed += u64::from(record.status == TaskStatus::Failed);
            *sum += ms.max(0.0);
            *longest = longest.max(ms);
        }
        let mut lines: Vec<(f64, Self)> = lines
            .into_iter()
            .map(|(name, (ended, failed, sum, longest_ms))| {
                #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
                let mean_ms = sum / ended as f64;
                let line = Self {
                    task: name.to_owned(),
                    ended,
                    failed,
                    mean_ms,
                    longest_ms,
                };
                (sum, line)
            })
            .collect();
        lines.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(at: Instant, ready: u64, running: u64, done: u64, failed: u64) -> Counted {
        let states = [
            ("READY", ready),
            ("RUNNING", running),
            ("SUCCESSFUL", done),
            ("FAILED", failed),
        ];
        Counted {
            queues: BTreeMap::from([("mail".to_owned(), BTreeMap::from(states))]),
            at: Some(at),
        }
    }

    #[test]
    fn rates_are_what_changed_between_two_counts_and_pruning_is_no_negative_rate() {
        let begin = Instant::now();
        let end = begin + Duration::from_secs(2);
        let before = counted(begin, 10, 2, 100, 0);
        let now = counted(end, 4, 4, 110, 2);
        let expected = Rates {
            enqueued: 4.0,
            started: 7.0,
            finished: 6.0,
            failed: 1.0,
        };
        assert_eq!(rates("mail", &before, &now), Some(expected));
        let pruned = counted(end, 10, 2, 0, 0);
        assert_eq!(rates("mail", &before, &pruned), Some(Rates::default()));
        assert_eq!(rates("mail", &Counted::default(), &now), None);
    }
}
