//! How one task is to be enqueued: queue, priority, due time, backend, attempts.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::trace::TraceContext;
use crate::{Backoff, Error, ErrorKind, Result, UniqueUntil, unique};

/// The lowest and the highest priority; larger runs sooner.
pub const PRIORITY_RANGE: std::ops::RangeInclusive<i32> = -100..=100;

/// The longest queue name, in bytes.
pub const MAX_QUEUE_BYTES: usize = 100;

/// A queue name.
///
/// The constants that [`queues!`](crate::queues) makes are checked by the compiler;
/// a name made from text is checked when the task is enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Queue(&'static str);

impl Queue {
    /// A queue declared in the source. [`queues!`](crate::queues) calls this.
    pub const fn declared(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl From<Queue> for Cow<'static, str> {
    fn from(queue: Queue) -> Self {
        Cow::Borrowed(queue.0)
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// The latest time a store can keep, in microseconds since 1970: the last second of the
/// year 9999, less the day that time zones need.
pub const LATEST_US: i64 = 253_402_207_200_000_000;

/// From when on a task may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunAfter {
    /// From this moment on. A past moment means now.
    At(Timestamp),
    /// This long after the store accepted it, by the store's clock.
    In(Duration),
}

impl RunAfter {
    /// The due time of a task that the store accepts at `now`.
    pub fn due(self, now: Timestamp) -> Timestamp {
        let due = match self {
            Self::At(moment) => moment.max(now).as_microsecond(),
            Self::In(delay) => {
                let delay = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
                now.as_microsecond().saturating_add(delay)
            }
        };
        Timestamp::from_microsecond(due.min(LATEST_US)).unwrap_or(now)
    }
}

impl From<Timestamp> for RunAfter {
    fn from(moment: Timestamp) -> Self {
        Self::At(moment)
    }
}

impl From<Duration> for RunAfter {
    fn from(delay: Duration) -> Self {
        Self::In(delay)
    }
}

impl From<SystemTime> for RunAfter {
    fn from(moment: SystemTime) -> Self {
        Self::At(Timestamp::try_from(moment).unwrap_or(Timestamp::MAX))
    }
}

/// Changes to the options a task was defined with, for one call.
///
/// Built by chaining, from any of the functions of the same names:
///
/// ```
/// use std::time::Duration;
/// use task_core::{priority, TaskOptions};
///
/// let options: TaskOptions = priority(50).run_after(Duration::from_secs(60)).queue("special");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "options do nothing until `using` is given them"]
pub struct TaskOptions {
    pub(crate) queue: Option<Cow<'static, str>>,
    pub(crate) priority: Option<i32>,
    pub(crate) run_after: Option<RunAfter>,
    pub(crate) backend: Option<Cow<'static, str>>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) max_lost: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) unique_key: Option<String>,
    pub(crate) unique_until: Option<UniqueUntil>,
    pub(crate) trace: Option<TraceContext>,
}

/// Options with this priority: -100 to 100, larger runs sooner, 0 by default.
pub fn priority(priority: i32) -> TaskOptions {
    TaskOptions::default().priority(priority)
}

/// Options with this queue.
pub fn queue(queue: impl Into<Cow<'static, str>>) -> TaskOptions {
    TaskOptions::default().queue(queue)
}

/// Options with this due time: a moment, or a delay from now by the store's clock.
pub fn run_after(run_after: impl Into<RunAfter>) -> TaskOptions {
    TaskOptions::default().run_after(run_after)
}

/// Options with this backend alias.
pub fn backend(alias: impl Into<Cow<'static, str>>) -> TaskOptions {
    TaskOptions::default().backend(alias)
}

impl TaskOptions {
    /// The priority: -100 to 100, larger runs sooner.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The queue: a constant of [`queues!`](crate::queues) or a name.
    pub fn queue(mut self, queue: impl Into<Cow<'static, str>>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// From when on it may run: a moment, or a delay from now by the store's clock.
    pub fn run_after(mut self, run_after: impl Into<RunAfter>) -> Self {
        self.run_after = Some(run_after.into());
        self
    }

    /// The alias of the backend to keep it in.
    pub fn backend(mut self, alias: impl Into<Cow<'static, str>>) -> Self {
        self.backend = Some(alias.into());
        self
    }

    /// How many attempts may fail by the task's own fault: at least 1.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// How many workers may be lost under it; 0 makes it at-most-once.
    pub fn max_lost(mut self, lost: u32) -> Self {
        self.max_lost = Some(lost);
        self
    }

    /// How long one attempt may run: at least a millisecond.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long to wait between attempts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// Of the calls of this task in this queue with the same text the store keeps one at a time: until it has
    /// ended, unless [`TaskOptions::unique_until`] says otherwise. Whoever enqueues another gets
    /// the result of the one that is there.
    pub fn unique_key(mut self, text: impl Into<String>) -> Self {
        self.unique_key = Some(text.into());
        self
    }

    /// For how long the call keeps others out that are the same; of a task that is not unique it says nothing.
    pub fn unique_until(mut self, until: UniqueUntil) -> Self {
        self.unique_until = Some(until);
        self
    }

    /// Something the application says about this call and the framework only carries, under
    /// a name: see [`metadata`](crate::metadata).
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// The place in a trace that the task belongs to, instead of that of the calling code: see
    /// [`trace`](crate::trace).
    pub fn trace_context(mut self, context: TraceContext) -> Self {
        self.trace = Some(context);
        self
    }

    /// These options with those that `newer` sets put over them; metadata name by name.
    pub fn merged(mut self, newer: Self) -> Self {
        self.metadata.extend(newer.metadata);
        Self {
            queue: newer.queue.or(self.queue),
            priority: newer.priority.or(self.priority),
            run_after: newer.run_after.or(self.run_after),
            backend: newer.backend.or(self.backend),
            max_attempts: newer.max_attempts.or(self.max_attempts),
            max_lost: newer.max_lost.or(self.max_lost),
            timeout: newer.timeout.or(self.timeout),
            backoff: newer.backoff.or(self.backoff),
            metadata: self.metadata,
            unique_key: newer.unique_key.or(self.unique_key),
            unique_until: newer.unique_until.or(self.unique_until),
            trace: newer.trace.or(self.trace),
        }
    }

    /// Whether every value is in its range, whatever the backend.
    pub(crate) fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidTask, message));
        if let Some(priority) = self.priority
            && !PRIORITY_RANGE.contains(&priority)
        {
            return invalid(format!(
                "priority {priority} is not a whole number from -100 to 100"
            ));
        }
        if let Some(queue) = &self.queue {
            check_queue_name(queue)?;
        }
        if self.max_attempts == Some(0) {
            return invalid("max_attempts is 0, but a task has at least one attempt".to_owned());
        }
        if self
            .timeout
            .is_some_and(|timeout| timeout < Duration::from_millis(1))
        {
            return invalid("the timeout is shorter than a millisecond".to_owned());
        }
        self.unique_until.map_or(Ok(()), unique::check)
    }
}

/// Whether a queue may have this name at all: 1 to 100 bytes, no control characters,
/// no blanks around it, no comma and not `*` (both mean something to the worker).
pub fn check_queue_name(name: &str) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_QUEUE_BYTES {
        "is longer than 100 bytes"
    } else if name.chars().any(char::is_control) || name.trim() != name {
        "has control characters or blanks around it"
    } else if name.contains(',') || name == "*" {
        "has a comma or is `*`, which mean something else to the worker"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::InvalidTask,
        format!("the queue name `{}` {wrong}", crate::id::shorten(name)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_options_win_and_the_rest_stays() {
        let options = priority(5).queue("slow").merged(priority(-7));
        assert_eq!(options, queue("slow").priority(-7));
    }

    #[test]
    fn a_delay_counts_from_the_stores_now_and_a_past_moment_means_now() {
        let now = Timestamp::from_second(1_000).expect("in range");
        assert_eq!(
            RunAfter::from(Duration::from_secs(60)).due(now).as_second(),
            1_060
        );
        assert_eq!(RunAfter::from(Timestamp::UNIX_EPOCH).due(now), now);
        let latest = RunAfter::from(Duration::MAX).due(now);
        assert_eq!(latest.as_microsecond(), LATEST_US);
        assert_eq!(latest.as_second(), Timestamp::MAX.as_second());
    }

    #[test]
    fn values_out_of_range_are_invalid() {
        for options in [
            priority(101),
            priority(-101),
            queue(""),
            queue(" blank"),
            queue("a,b"),
            queue("*"),
            queue("q".repeat(101)),
            TaskOptions::default().max_attempts(0),
            TaskOptions::default().timeout(Duration::ZERO),
        ] {
            let error = options.check().expect_err("out of range");
            assert_eq!(error.kind(), ErrorKind::InvalidTask, "{options:?}");
        }
        for options in [
            priority(100),
            priority(-100),
            queue("high-priority"),
            queue("ü".repeat(50)),
        ] {
            options.check().expect("in range");
        }
    }
}
