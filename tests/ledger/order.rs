//! The order in which tasks started, compared with the one in which they were to start.

use std::cmp::Reverse;
use std::time::Duration;

/// What is known of a task: times in microseconds since 1970 by the one clock of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub priority: i32,
    /// From when on it was due by the store's clock: when it arrived, or later.
    pub due: u64,
    /// When its enqueue had returned.
    pub accepted: u64,
    /// When it began.
    pub started: u64,
}

impl Seen {
    /// Its place in the order: the smaller comes first.
    fn place(&self) -> (Reverse<i32>, u64) {
        (Reverse(self.priority), self.due)
    }

    /// From when on every claim must see it.
    fn visible(&self) -> u64 {
        self.accepted.max(self.due)
    }
}

/// What a look at the order came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    /// How many tasks waited for long enough to be overtaken against the rule.
    pub looked_at: usize,
    /// How many of them were.
    pub overtaken: usize,
}

/// A task that every claim sees since `slack` starts at most `slack` after any task that it precedes:
/// claims take what comes first, and what was claimed starts within `slack` or goes back.
pub fn order_of(mut tasks: Vec<Seen>, slack: u64) -> Order {
    tasks.sort_unstable_by_key(|task| task.started);
    let latest = Latest::of(&tasks);
    let mut order = Order {
        looked_at: 0,
        overtaken: 0,
    };
    for task in &tasks {
        let (from, to) = (task.visible() + slack, task.started.saturating_sub(slack));
        if from >= to {
            continue;
        }
        order.looked_at += 1;
        let from = tasks.partition_point(|other| other.started <= from);
        let to = tasks.partition_point(|other| other.started < to);
        if latest.among(from, to).is_some_and(|last| last > task.place()) {
            order.overtaken += 1;
        }
    }
    order
}

/// The least slack, in steps of a quarter of a second, with which nothing was overtaken.
pub fn least_slack(tasks: &[Seen]) -> Duration {
    let is_enough = |steps: &u64| order_of(tasks.to_vec(), steps * 250_000).overtaken == 0;
    let steps = (1..=240).find(is_enough).unwrap_or(u64::MAX / 1_000_000);
    Duration::from_millis(steps * 250)
}

type Place = (Reverse<i32>, u64);

/// Answers which of a range of tasks has the last place.
struct Latest(Vec<Vec<Place>>);

impl Latest {
    fn of(tasks: &[Seen]) -> Self {
        // The row of number n has the last place of each 2^n tasks that follow each other.
        let mut rows: Vec<Vec<Place>> = vec![tasks.iter().map(Seen::place).collect()];
        let mut width = 1;
        while 2 * width <= tasks.len() {
            let row = &rows[rows.len() - 1];
            let next = row.iter().zip(&row[width..]).map(|(one, other)| *one.max(other));
            rows.push(next.collect());
            width *= 2;
        }
        Self(rows)
    }

    fn among(&self, from: usize, to: usize) -> Option<Place> {
        let length = to.checked_sub(from).filter(|length| *length > 0)?;
        let row = length.ilog2();
        let places = &self.0[row as usize];
        Some(places[from].max(places[to - (1 << row)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// Accepted and due at this second, begun at that one.
    fn task(priority: i32, accepted: u64, started: u64) -> Seen {
        Seen {
            priority,
            due: accepted * SECOND,
            accepted: accepted * SECOND,
            started: started * SECOND,
        }
    }

    fn looked(tasks: &[Seen]) -> (usize, usize) {
        let order = order_of(tasks.to_vec(), SECOND);
        (order.looked_at, order.overtaken)
    }

    #[test]
    fn a_task_that_waits_while_later_ones_start_was_overtaken() {
        assert_eq!(looked(&[task(0, 1, 9), task(0, 2, 5)]), (2, 1));
        assert_eq!(looked(&[task(10, 3, 9), task(0, 1, 6)]), (2, 1));
        assert_eq!(
            least_slack(&[task(10, 3, 9), task(0, 1, 6)]),
            Duration::from_secs(3)
        );
    }

    #[test]
    fn a_task_that_came_or_began_about_when_others_did_was_not() {
        // Before those that come later, after those of a higher priority.
        assert_eq!(looked(&[task(0, 1, 9), task(10, 2, 5)]), (2, 0));
        assert_eq!(looked(&[task(0, 1, 5), task(0, 2, 9)]), (2, 0));
        // It had just come when the other one was claimed, or was claimed at the same time.
        assert_eq!(looked(&[task(10, 5, 9), task(0, 1, 6)]), (2, 0));
        assert_eq!(looked(&[task(10, 1, 7), task(0, 1, 6)]), (2, 0));
    }
}
