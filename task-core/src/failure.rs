//! Why an attempt of a task ended badly: data, stored with the task.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest message, source or location that is kept, in bytes. The rest is cut off with a note.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;

/// The most sources of one error that are kept.
pub const MAX_SOURCES: usize = 32;

/// The reason an attempt ended without a return value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The task returned an error.
    Error,
    /// The task panicked.
    Panic,
    /// The task ran longer than its time limit.
    TimedOut,
    /// The stored arguments do not fit the task.
    Arguments,
    /// The return value could not be stored.
    ReturnValue,
    /// The worker that ran the task died or lost its lease.
    WorkerLost,
    /// The worker was told to stop before the task had ended.
    Interrupted,
    /// Somebody asked for the task to end.
    Canceled,
}

impl FailureKind {
    /// Whether the attempt failed through no fault of the task, so that it does not
    /// count against `max_attempts`.
    pub const fn is_not_the_tasks_fault(self) -> bool {
        matches!(self, Self::WorkerLost | Self::Interrupted)
    }
}

/// Why one attempt failed, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailure {
    /// The reason.
    pub kind: FailureKind,
    /// The Rust type of the error, such as `app::GreetError`; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error_type: String,
    /// What the error said.
    pub message: String,
    /// What its sources said, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Where it panicked: `file:line:column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl TaskFailure {
    /// A failure of this kind with one sentence.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            error_type: String::new(),
            message: cut(message.into()),
            sources: Vec::new(),
            location: None,
        }
    }

    /// The failure of a task that returned this error; its sources are kept.
    pub fn from_error<E: StdError + ?Sized>(error: &E, error_type: &str) -> Self {
        let mut failure = Self::new(FailureKind::Error, error.to_string());
        failure.error_type = error_type.to_owned();
        let mut source = error.source();
        while let Some(error) = source {
            if failure.sources.len() == MAX_SOURCES {
                break;
            }
            failure.sources.push(cut(error.to_string()));
            source = error.source();
        }
        failure
    }

    /// Names the Rust type of the error.
    #[must_use]
    pub fn of_type(mut self, error_type: impl Into<String>) -> Self {
        self.error_type = error_type.into();
        self
    }

    /// Says where it panicked.
    #[must_use]
    pub fn at(mut self, location: Option<String>) -> Self {
        self.location = location;
        self
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.error_type.is_empty() {
            write!(f, "{}: ", self.error_type)?;
        }
        f.write_str(&self.message)?;
        for source in &self.sources {
            write!(f, ": {source}")?;
        }
        if let Some(location) = &self.location {
            write!(f, " (at {location})")?;
        }
        Ok(())
    }
}

/// The text, or its beginning with a note of how much there was.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let whole = text.len();
        let mut end = MAX_TEXT_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(&format!("… [cut, {whole} bytes in all]"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("could not greet")
        }
    }
    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_failure_keeps_type_message_and_sources() {
        let failure = TaskFailure::from_error(&Outer(std::io::Error::other("no voice")), "app::Outer");
        assert_eq!(failure.to_string(), "app::Outer: could not greet: no voice");
        let json = serde_json::to_string(&failure).expect("plain data");
        assert_eq!(
            serde_json::from_str::<TaskFailure>(&json).expect("its own text"),
            failure
        );
    }

    #[test]
    fn a_long_message_is_cut_at_a_character_with_a_note() {
        let failure = TaskFailure::new(FailureKind::Error, "ü".repeat(MAX_TEXT_BYTES));
        assert!(failure.message.len() < MAX_TEXT_BYTES + 64);
        assert!(
            failure
                .message
                .ends_with(&format!("[cut, {} bytes in all]", 2 * MAX_TEXT_BYTES))
        );
    }
}
