//! What goes wrong in the framework itself. What goes wrong inside a task is a
//! [`TaskFailure`](crate::TaskFailure): data that is stored with the task.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of every fallible call of the framework.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of trouble it is: the part a program can match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The task, its options or its queue do not fit the backend they were given to.
    InvalidTask,
    /// No backend of this alias, or a backend that cannot be built from its settings.
    InvalidBackend,
    /// `tasks.toml` or an environment variable says something that cannot be understood.
    Settings,
    /// The registry is wrong: no task at all, two tasks of one name, two kinds of backend of
    /// one name.
    Registry,
    /// There is no such task result.
    NotFound,
    /// The result belongs to another task than the one it was asked from.
    Mismatch,
    /// The task has not finished yet, so it has no return value.
    NotFinished,
    /// The task ended without a return value: it failed or was canceled.
    TaskFailed,
    /// The backend cannot do this; its capabilities say so.
    Unsupported,
    /// Something is larger than its documented limit. Nothing was written.
    TooLarge,
    /// A value could not be turned into JSON or read back from it.
    Encoding,
    /// The time the caller was ready to wait is over.
    TimedOut,
    /// The store cannot be reached or is busy. Trying again may help.
    Unavailable,
    /// The stored data is not what it must be.
    Corrupt,
    /// The store was written by another version of the framework.
    Schema,
    /// What was asked is not possible in the task's present state.
    State,
    /// Anything else the store reported.
    Backend,
}

impl ErrorKind {
    /// The kind in words, as it begins every message.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::InvalidTask => "invalid task",
            Self::InvalidBackend => "invalid backend",
            Self::Settings => "settings",
            Self::Registry => "task registry",
            Self::NotFound => "not found",
            Self::Mismatch => "task mismatch",
            Self::NotFinished => "not finished",
            Self::TaskFailed => "task failed",
            Self::Unsupported => "not supported",
            Self::TooLarge => "too large",
            Self::Encoding => "encoding",
            Self::TimedOut => "timed out",
            Self::Unavailable => "store unavailable",
            Self::Corrupt => "corrupt data",
            Self::Schema => "schema version",
            Self::State => "wrong state",
            Self::Backend => "backend",
        }
    }
}

/// Trouble of the framework: a kind to match on, a sentence to read, where it
/// happened, what to do about it, and the error it came from.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    place: Option<String>,
    hint: Option<Cow<'static, str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind with one sentence about what happened.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            place: None,
            hint: None,
            source: None,
        }))
    }

    /// Says where it happened: a file, a line, an alias, a task. Said again further out,
    /// both are kept.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        let outer = place.into();
        self.0.place = Some(match self.0.place.take() {
            Some(inner) => format!("{outer}, {inner}"),
            None => outer,
        });
        self
    }

    /// Says what the reader can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the error this one came from.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// The kind of trouble.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, without place, hint and source.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the reader can do about it, where there is something.
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.describe(), self.0.message)?;
        if let Some(place) = &self.0.place {
            write!(f, " (at {place})")?;
        }
        let mut source = self.source();
        let mut said = self.0.message.clone().into_owned();
        while let Some(error) = source {
            // Many errors repeat what their source says.
            let text = error.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            source = error.source();
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `main` and `unwrap` print `Debug`: a person reads it, so it is the sentence.
        write!(f, "{self}")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_why_and_what_to_do() {
        let source = std::io::Error::other("disk on fire");
        let error = Error::new(ErrorKind::Settings, "cannot read the file")
            .at("tasks.toml:3")
            .hint("put out the fire")
            .because(source);
        assert_eq!(
            error.to_string(),
            "settings: cannot read the file (at tasks.toml:3): disk on fire\n  hint: put out the fire"
        );
        assert_eq!(error.kind(), ErrorKind::Settings);
        assert!(!error.is_retryable());
    }

    #[test]
    fn an_outer_place_comes_before_the_inner_one_and_nothing_is_said_twice() {
        let inner = Error::new(ErrorKind::Backend, "busy").because(std::io::Error::other("busy"));
        let error = inner.at("line 3").at("tasks.toml");
        assert_eq!(error.to_string(), "backend: busy (at tasks.toml, line 3)");
    }
}
