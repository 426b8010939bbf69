//! How many tasks to keep in memory beside the running ones: as many as will start soon.

use std::time::{Duration, Instant};

/// How long a claimed task should wait in memory at most. Longer, and other workers could
/// have run it; shorter, and claims become many and small.
const HORIZON: Duration = Duration::from_millis(200);

/// The shortest time over which a rate is measured.
const WINDOW: Duration = Duration::from_millis(2);

/// Measures how many tasks end per second and says how many to keep ready.
#[derive(Debug)]
pub(crate) struct Pace {
    most: usize,
    per_second: f64,
    since: Instant,
    ended: usize,
}

impl Pace {
    /// Nothing is known yet; `most` is never exceeded.
    pub(crate) fn new(most: usize, now: Instant) -> Self {
        Self {
            most,
            per_second: 0.0,
            since: now,
            ended: 0,
        }
    }

    /// So many tasks ended.
    pub(crate) fn ended(&mut self, tasks: usize, now: Instant) {
        self.ended += tasks;
        let time = now.saturating_duration_since(self.since);
        if time < WINDOW {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let measured = self.ended as f64 / time.as_secs_f64();
        // A long window says more than a short one: after a second only it counts.
        let weight = (time.as_secs_f64() * 10.0).clamp(0.2, 1.0);
        self.per_second += (measured - self.per_second) * weight;
        self.since = now;
        self.ended = 0;
    }

    /// How many tasks to keep in memory beyond those that can start at once.
    pub(crate) fn prefetch(&self) -> usize {
        let soon = self.per_second * HORIZON.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float saturates"
        )]
        let soon = soon as usize;
        soon.min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_tasks_are_kept_ready_and_slow_ones_left_to_others() {
        let mut now = Instant::now();
        let mut pace = Pace::new(2000, now);
        assert_eq!(pace.prefetch(), 0);
        for _ in 0..100 {
            now += Duration::from_millis(10);
            pace.ended(1000, now);
        }
        assert_eq!(pace.prefetch(), 2000);
        for _ in 0..5 {
            now += Duration::from_secs(1);
            pace.ended(3, now);
        }
        assert_eq!(pace.prefetch(), 0);
    }
}
