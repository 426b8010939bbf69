//! The only source of "now" in this crate.
//!
//! Stored times come from the store: the database's clock, Redis `TIME`. An
//! embedded store shares the machine's clock, and takes it from here so that
//! tests can move it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Tells the time to an embedded store. Cheap to clone.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until [`Clock::advance`] moves it.
    /// Clones share the time.
    pub fn manual(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.as_microsecond()))))
    }

    /// The time now, to the microsecond.
    pub fn now(&self) -> Timestamp {
        let microseconds = match &self.0 {
            None => Timestamp::now().as_microsecond(),
            Some(manual) => manual.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
    }

    /// Whether it only goes when it is moved.
    pub const fn is_manual(&self) -> bool {
        self.0.is_some()
    }

    /// Moves a manual clock forward; does nothing to the machine's clock.
    pub fn advance(&self, by: Duration) {
        if let Some(manual) = &self.0 {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            manual.fetch_add(by, Ordering::SeqCst);
        }
    }
}

/// How much is left of a span of time, by the clock that never jumps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Countdown {
    began: Instant,
    span: Duration,
}

impl Countdown {
    pub(crate) fn new(span: Duration) -> Self {
        Self {
            began: Instant::now(),
            span,
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.span.saturating_sub(self.began.elapsed())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => write!(f, "Clock(system)"),
            Some(_) => write!(f, "Clock(manual, {})", self.now()),
        }
    }
}
