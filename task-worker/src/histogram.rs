//! How long things took: counts by length, written and read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many lengths of time are told apart, the longest without a bound.
const BUCKETS: usize = 18;

/// Counts of things by how long they took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Histogram {
    /// How many took no longer than the bound of the same position and longer than the one
    /// before; the last ones took longer than every bound.
    pub counts: [u64; BUCKETS],
    /// How long all of them took together.
    pub total: Duration,
}

impl Histogram {
    /// The upper bounds: 0.5 ms to an hour.
    pub const BOUNDS: [Duration; BUCKETS - 1] = [
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(60),
        Duration::from_secs(600),
        Duration::from_secs(3600),
    ];

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long one took on average; `None` when there was none.
    pub fn mean(&self) -> Option<Duration> {
        let count = self.count();
        #[expect(clippy::cast_precision_loss, reason = "an average need not be exact")]
        (count > 0).then(|| self.total.div_f64(count as f64))
    }
}

/// A histogram that is being written.
#[derive(Debug, Default)]
pub(crate) struct Times {
    counts: [AtomicU64; BUCKETS],
    total_us: AtomicU64,
}

impl Times {
    /// Counts one.
    pub(crate) fn add(&self, took: Duration) {
        let bucket = Histogram::BOUNDS.partition_point(|bound| *bound < took);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.total_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What was counted until now.
    pub(crate) fn read(&self) -> Histogram {
        Histogram {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            total: Duration::from_micros(self.total_us.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_what_lies_below_it() {
        let times = Times::default();
        times.add(Duration::ZERO);
        times.add(Histogram::BOUNDS[0]);
        times.add(Histogram::BOUNDS[0] + Duration::from_micros(1));
        times.add(Duration::from_secs(4000));
        let read = times.read();
        assert_eq!(
            (read.counts[0], read.counts[1], read.counts[BUCKETS - 1]),
            (2, 1, 1)
        );
        assert_eq!(read.count(), 4);
        assert_eq!(read.total, Duration::from_micros(4_000_001_001));
        assert!(Histogram::BOUNDS.is_sorted());
    }

    #[test]
    fn nothing_has_no_average() {
        assert_eq!(Histogram::default().mean(), None);
        let times = Times::default();
        times.add(Duration::from_millis(1));
        times.add(Duration::from_millis(3));
        assert_eq!(times.read().mean(), Some(Duration::from_millis(2)));
    }
}
