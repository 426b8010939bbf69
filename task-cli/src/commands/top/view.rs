//! How `top` looks.

use task_core::Timestamp;

use super::sample::{QueueLine, Sample};
use crate::duration;
use crate::table::{Cell, Colour, Column, Screen, Table};

/// Lines that are neither queue, worker nor task: the head, titles, blank lines.
const OTHER_LINES: usize = 9;

/// The most names of tasks that are shown.
const TASKS: usize = 5;

/// How much fits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fit {
    /// So many queues, and as many workers.
    Queues(usize),
    /// So many lines.
    Lines(usize),
}

/// One page of a view.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    fit: Fit,
    page: usize,
}

impl View {
    pub(super) fn new(fit: Fit, page: usize) -> Self {
        Self { fit, page }
    }

    /// How many queues and workers fit.
    fn room(self, sample: &Sample) -> (usize, usize) {
        match self.fit {
            Fit::Queues(most) => (most, most),
            Fit::Lines(lines) => {
                let left = lines.saturating_sub(OTHER_LINES + sample.tasks.len().min(TASKS));
                let workers = sample.workers.len().clamp(1, (left / 3).max(1));
                (left.saturating_sub(workers).max(1), workers)
            }
        }
    }

    /// The last page that shows anything.
    pub(super) fn last_page(self, sample: &Sample) -> usize {
        let (queues, _) = self.room(sample);
        sample.queues.len().saturating_sub(1) / queues.max(1)
    }

    /// Its lines, fitted to the screen.
    pub(super) fn draw(self, sample: &Sample, screen: Screen) -> Vec<String> {
        let (queues, workers) = self.room(sample);
        let page = self.page.min(self.last_page(sample));
        let shown = sample.queues.iter().skip(page * queues).take(queues);
        let mut lines = vec![head(sample), String::new()];
        let mut add = |table: &Table| lines.extend(table.render(screen).lines().map(str::to_owned));
        add(&queue_table(shown.chain([&sample.total])));
        if sample.queues.len() > queues {
            let pages = self.last_page(sample) + 1;
            lines.push(format!(
                "page {} of {pages}, {} queues",
                page + 1,
                sample.queues.len()
            ));
        }
        lines.push(String::new());
        if sample.workers.is_empty() {
            lines.push("no worker".to_owned());
        } else {
            let table = worker_table(sample, workers);
            lines.extend(table.render(screen).lines().map(str::to_owned));
        }
        if sample.workers.len() > workers {
            lines.push(format!("and {} more workers", sample.workers.len() - workers));
        }
        if !sample.tasks.is_empty() {
            lines.push(String::new());
            let table = task_table(sample);
            lines.extend(table.render(screen).lines().map(str::to_owned));
        }
        lines
    }
}

fn head(sample: &Sample) -> String {
    let rates = sample.total.per_second.unwrap_or_default();
    let mut head = format!(
        "{}: {} waiting, {} running, {} workers; per second {} enqueued, {} started, {} finished, {} failed",
        sample.backend,
        sample.total.waiting,
        sample.total.running,
        sample.workers.len(),
        rate(rates.enqueued),
        rate(rates.started),
        rate(rates.finished),
        rate(rates.failed),
    );
    if sample.counted.as_secs() > 1 {
        head.push_str(&format!(" (counted {} s ago)", sample.counted.as_secs()));
    }
    head
}

fn queue_table<'a>(queues: impl Iterator<Item = &'a QueueLine>) -> Table {
    let mut table = Table::new([
        Column::words("QUEUE"),
        Column::number("WAITING"),
        Column::number("OLDEST"),
        Column::number("RUNNING"),
        Column::number("IN/S"),
        Column::number("START/S"),
        Column::number("END/S"),
        Column::number("FAIL/S"),
    ]);
    for queue in queues {
        let rates = queue.per_second;
        let of = |rate_of: fn(&super::sample::Rates) -> f64| {
            rates
                .as_ref()
                .map_or_else(|| "-".to_owned(), |rates| rate(rate_of(rates)))
        };
        let failed = rates.is_some_and(|rates| rates.failed > 0.0);
        table.row([
            queue.queue.as_str().into(),
            queue.waiting.to_string().into(),
            oldest(queue).into(),
            queue.running.to_string().into(),
            of(|rates| rates.enqueued).into(),
            of(|rates| rates.started).into(),
            of(|rates| rates.finished).into(),
            Cell::coloured(of(|rates| rates.failed), failed.then_some(Colour::Red)),
        ]);
    }
    table
}

/// For how long the oldest task is due; with a mark where others may wait longer.
fn oldest(queue: &QueueLine) -> String {
    match queue.oldest_s {
        None => "-".to_owned(),
        Some(seconds) => {
            let now = Timestamp::now();
            let due = now.saturating_sub(std::time::Duration::from_secs(seconds.unsigned_abs()));
            let age = duration::age(due.unwrap_or(now), now);
            format!("{}{age}", if queue.oldest_is_exact { "" } else { ">" })
        }
    }
}

fn worker_table(sample: &Sample, most: usize) -> Table {
    let mut table = Table::new([
        Column::words("WORKER"),
        Column::words("HOST"),
        Column::words("QUEUES"),
        Column::number("CLAIMED"),
        Column::number("SLOTS"),
        Column::number("UP"),
        Column::text("LEASE"),
    ]);
    let now = Timestamp::now();
    for worker in sample.workers.iter().take(most) {
        table.row([
            worker.id.as_str().into(),
            worker.host.as_str().into(),
            worker.queues.as_str().into(),
            worker.claimed.to_string().into(),
            worker.concurrency.to_string().into(),
            duration::age(worker.started_at, now).into(),
            crate::commands::workers::lease(worker, now),
        ]);
    }
    table
}

fn task_table(sample: &Sample) -> Table {
    let mut table = Table::new([
        Column::path("TASK"),
        Column::number("ENDED"),
        Column::number("FAILED"),
        Column::number("MEAN"),
        Column::number("LONGEST"),
    ]);
    for task in sample.tasks.iter().take(TASKS) {
        table.row([
            task.task.as_str().into(),
            task.ended.to_string().into(),
            Cell::coloured(task.failed.to_string(), (task.failed > 0).then_some(Colour::Red)),
            milliseconds(task.mean_ms).into(),
            milliseconds(task.longest_ms).into(),
        ]);
    }
    table
}

fn rate(rate: f64) -> String {
    if rate > 0.0 && rate < 10.0 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.0}")
    }
}

fn milliseconds(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 10_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.0} s", ms / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use super::super::sample::Counted;
    use super::*;

    /// Thousands of queues, the last of which has the most tasks.
    fn busy() -> Sample {
        let queues = (0..5_000_u64).map(|number| {
            let states = BTreeMap::from([("READY", number), ("RUNNING", 1)]);
            (format!("queue-{number:04}"), states)
        });
        let now = Instant::now();
        let counted = Counted {
            queues: queues.collect(),
            at: Some(now),
        };
        let mut before = counted.clone();
        before.at = now.checked_sub(Duration::from_secs(1));
        Sample::new(
            "default",
            &counted,
            Some(&before),
            &BTreeMap::new(),
            Vec::new(),
            Vec::new(),
        )
    }

    #[test]
    fn thousands_of_queues_fit_in_pages_the_fullest_first() {
        let (sample, screen) = (
            busy(),
            Screen {
                width: Some(80),
                colour: false,
            },
        );
        let view = View::new(Fit::Lines(24), 0);
        let lines = view.draw(&sample, screen);
        assert!(lines.len() <= 24, "{}: {lines:#?}", lines.len());
        assert!(
            lines[0].starts_with("default: 12497500 waiting, 5000 running"),
            "{}",
            lines[0]
        );
        assert!(lines[3].starts_with("queue-4999      4999"), "{}", lines[3]);
        let last = View::new(Fit::Lines(24), usize::MAX).draw(&sample, screen);
        assert!(
            last.iter().any(|line| line.starts_with("queue-0000")),
            "{last:#?}"
        );
        assert!(last.iter().any(|line| line.ends_with("5000 queues")), "{last:#?}");
    }
}
