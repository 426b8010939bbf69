//! What an error says about running its task again.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::TaskFailure;
use crate::retry::milliseconds;

/// What becomes of a task whose attempt ended with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It is retried as the task declares: `max_attempts`, `backoff`.
    #[default]
    AsDeclared,
    /// It uses an attempt; if one is left, it runs after this many milliseconds, whatever its backoff says.
    RetryInMs(u64),
    /// It ends `FAILED`, whatever attempts are left.
    Fatal,
    /// This was no attempt at all: nothing is written in its history, and it runs after this
    /// many milliseconds.
    SnoozeMs(u64),
}

impl Verdict {
    /// [`Verdict::RetryInMs`] after this time.
    pub const fn retry_in(delay: Duration) -> Self {
        Self::RetryInMs(milliseconds(delay))
    }

    /// [`Verdict::SnoozeMs`] for this time.
    pub const fn snooze(delay: Duration) -> Self {
        Self::SnoozeMs(milliseconds(delay))
    }

    pub(crate) fn is_as_declared(&self) -> bool {
        *self == Self::AsDeclared
    }
}

/// For error types of your own: says what becomes of a task that returned this error.
///
/// ```
/// use std::time::Duration;
/// use task_core::{TaskVerdict, Verdict, task};
///
/// #[derive(Debug)]
/// enum ChargeError {
///     CardExpired,
///     TooManyRequests { wait: Duration },
/// }
/// # impl std::fmt::Display for ChargeError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("no") }
/// # }
/// # impl std::error::Error for ChargeError {}
///
/// impl TaskVerdict for ChargeError {
///     fn verdict(&self) -> Verdict {
///         match self {
///             Self::CardExpired => Verdict::Fatal,
///             Self::TooManyRequests { wait } => Verdict::retry_in(*wait),
///         }
///     }
/// }
///
/// #[task(max_attempts = 5)]
/// async fn charge(cents: u64) -> Result<(), ChargeError> {
///     Err(ChargeError::CardExpired)
/// }
/// ```
pub trait TaskVerdict: StdError {
    /// What becomes of the task.
    fn verdict(&self) -> Verdict;
}

/// Any error, with what becomes of the task: the return type of a task that decides from case to case.
///
/// `?` makes one of every error, to be retried as declared; [`OrFatal`] says something else in the
/// same line.
///
/// ```
/// use std::time::Duration;
/// use task_core::{OrFatal as _, TaskError, task};
///
/// #[task(max_attempts = 5, backoff = "exponential 1s..10m jitter")]
/// async fn import(path: String) -> Result<usize, TaskError> {
///     if path.ends_with(".part") {
///         return Err(TaskError::snooze(Duration::from_secs(30)));      // not there yet: look again later
///     }
///     let text = std::fs::read_to_string(&path)?;                      // retried as declared
///     let lines: usize = text.trim().parse().or_fatal()?;              // will never fit: FAILED at once
///     Ok(lines)
/// }
/// ```
pub struct TaskError {
    error: Box<dyn StdError + Send + Sync>,
    error_type: &'static str,
    verdict: Verdict,
}

impl TaskError {
    fn of<E: Into<Box<dyn StdError + Send + Sync>>>(error: E, verdict: Verdict) -> Self {
        Self {
            error: error.into(),
            error_type: std::any::type_name::<E>(),
            verdict,
        }
    }

    /// The task ends `FAILED`, whatever attempts are left.
    pub fn fatal<E: Into<Box<dyn StdError + Send + Sync>>>(error: E) -> Self {
        Self::of(error, Verdict::Fatal)
    }

    /// The attempt failed; if another is left, it is made after this time.
    pub fn retry_in<E: Into<Box<dyn StdError + Send + Sync>>>(delay: Duration, error: E) -> Self {
        Self::of(error, Verdict::retry_in(delay))
    }

    /// It is not time yet: the task runs after this time, and this was no attempt. Nothing is
    /// written in its history, so a task may snooze for ever.
    pub fn snooze(delay: Duration) -> Self {
        Self::of("the task snoozes", Verdict::snooze(delay))
    }

    /// What becomes of the task.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The error as data.
    pub(crate) fn task_failure(&self) -> TaskFailure {
        TaskFailure::from_error(&*self.error, self.error_type).with_verdict(self.verdict)
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self {
            error_type: std::any::type_name::<E>(),
            error: Box::new(error),
            verdict: Verdict::AsDeclared,
        }
    }
}

impl Deref for TaskError {
    type Target = dyn StdError + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.error
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("error", &self.error)
            .field("verdict", &self.verdict)
            .finish()
    }
}

/// Says of an error, where it passes, what becomes of the task.
pub trait OrFatal<T> {
    /// An error ends the task `FAILED`, whatever attempts are left.
    ///
    /// # Errors
    /// That error.
    fn or_fatal(self) -> Result<T, TaskError>;

    /// After an error another attempt, if one is left, is made after this time.
    ///
    /// # Errors
    /// That error.
    fn or_retry_in(self, delay: Duration) -> Result<T, TaskError>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> OrFatal<T> for Result<T, E> {
    fn or_fatal(self) -> Result<T, TaskError> {
        self.map_err(TaskError::fatal)
    }

    fn or_retry_in(self, delay: Duration) -> Result<T, TaskError> {
        self.map_err(|error| TaskError::retry_in(delay, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_error_keeps_type_message_and_sources_of_the_error_in_it() {
        fn reads() -> Result<(), TaskError> {
            Err(std::io::Error::other("no disk"))?;
            Ok(())
        }
        let failure = reads().expect_err("fails").task_failure();
        assert_eq!(failure.error_type, "std::io::error::Error");
        assert_eq!(
            (failure.message.as_str(), failure.verdict),
            ("no disk", Verdict::AsDeclared)
        );
        let failure = "x"
            .parse::<u8>()
            .or_fatal()
            .expect_err("no number")
            .task_failure();
        assert_eq!(failure.error_type, "core::num::error::ParseIntError");
        assert_eq!(failure.verdict, Verdict::Fatal);
    }

    #[test]
    fn delays_that_are_too_long_are_cut() {
        assert_eq!(Verdict::retry_in(Duration::MAX), Verdict::RetryInMs(u64::MAX));
        assert_eq!(Verdict::snooze(Duration::from_millis(7)), Verdict::SnoozeMs(7));
    }
}
