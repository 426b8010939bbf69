//! Why an attempt of a task ended badly: data, stored with the task.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Verdict;

/// What stands for U+0000, which PostgreSQL keeps in no text: the picture of it, `␀`.
const NUL_PICTURE: &str = "\u{2400}";

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
    /// What is stored about the task is damaged, so that it could not be run.
    Damaged,
}

impl FailureKind {
    /// Whether the attempt failed through no fault of the task, so that it does not
    /// count against `max_attempts`.
    pub const fn is_not_the_tasks_fault(self) -> bool {
        matches!(self, Self::WorkerLost | Self::Interrupted)
    }
}

/// Why one attempt failed, as data that every store can keep.
///
/// Each text has at most [`TaskFailure::MAX_TEXT_BYTES`]: of a longer one the beginning is
/// kept, with a note of how long it was. In place of U+0000 stands `␀` (U+2400). What a task
/// fills into the fields by hand is treated the same when its attempt ends.
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
    /// What the error said about running the task again.
    #[serde(default, skip_serializing_if = "Verdict::is_as_declared")]
    pub verdict: Verdict,
}

impl TaskFailure {
    /// The longest message, type, source or location that is kept, in bytes, the note
    /// about what was cut included.
    pub const MAX_TEXT_BYTES: usize = 16 * 1024;

    /// The most sources of one error that are kept.
    pub const MAX_SOURCES: usize = 32;

    /// A failure of this kind with one sentence.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            error_type: String::new(),
            message: storable(message.into()),
            sources: Vec::new(),
            location: None,
            verdict: Verdict::AsDeclared,
        }
    }

    /// The failure of a task that returned this error; its sources are kept.
    pub fn from_error<E: StdError + ?Sized>(error: &E, error_type: &str) -> Self {
        let mut failure = Self::new(FailureKind::Error, error.to_string());
        failure.error_type = storable(error_type.to_owned());
        let mut source = error.source();
        while let Some(error) = source {
            if failure.sources.len() == Self::MAX_SOURCES {
                break;
            }
            failure.sources.push(storable(error.to_string()));
            source = error.source();
        }
        failure
    }

    /// Names the Rust type of the error.
    #[must_use]
    pub fn of_type(mut self, error_type: impl Into<String>) -> Self {
        self.error_type = storable(error_type.into());
        self
    }

    /// Says what becomes of the task.
    #[must_use]
    pub fn with_verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self
    }

    /// Says where it panicked.
    #[must_use]
    pub fn at(mut self, location: Option<String>) -> Self {
        self.location = location.map(storable);
        self
    }

    /// The same with texts that every store can keep.
    pub(crate) fn storable(mut self) -> Self {
        self.error_type = storable(self.error_type);
        self.message = storable(self.message);
        self.sources.truncate(Self::MAX_SOURCES);
        self.sources = self.sources.into_iter().map(storable).collect();
        self.location = self.location.map(storable);
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

/// The text without U+0000, or its beginning with a note of how much there was.
fn storable(mut text: String) -> String {
    if text.contains('\0') {
        text = text.replace('\0', NUL_PICTURE);
    }
    if text.len() > TaskFailure::MAX_TEXT_BYTES {
        let note = format!("… [cut, {} bytes in all]", text.len());
        let mut end = TaskFailure::MAX_TEXT_BYTES - note.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(&note);
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
    fn a_long_text_is_cut_at_a_character_with_a_note_and_only_once() {
        let long = "ü".repeat(TaskFailure::MAX_TEXT_BYTES);
        let mut failure = TaskFailure::new(FailureKind::Error, long.as_str())
            .of_type(long.as_str())
            .at(Some(long.clone()));
        failure.sources = vec![long; 50];
        let failure = failure.storable();
        let texts = [&failure.message, &failure.error_type, &failure.sources[0]];
        for text in texts.into_iter().chain(&failure.location) {
            let room = TaskFailure::MAX_TEXT_BYTES - text.len();
            assert!(room < 2, "{}", text.len());
            let note = format!("ü… [cut, {} bytes in all]", 2 * TaskFailure::MAX_TEXT_BYTES);
            assert!(text.ends_with(&note), "{}", &text[text.len() - 60..]);
        }
        assert_eq!(failure.sources.len(), TaskFailure::MAX_SOURCES);
        assert_eq!(failure.clone().storable(), failure);
    }

    #[test]
    fn in_place_of_u_0000_stands_its_picture() {
        let failure = TaskFailure {
            kind: FailureKind::Error,
            error_type: "a\0".to_owned(),
            message: "\0b".to_owned(),
            sources: vec!["c\0d".to_owned()],
            location: Some("\0".to_owned()),
            verdict: Verdict::AsDeclared,
        };
        let failure = failure.storable();
        assert_eq!(failure.to_string(), "a␀: ␀b: c␀d (at ␀)");
        assert_eq!(TaskFailure::new(FailureKind::Panic, "\0").message, "␀");
    }
}
