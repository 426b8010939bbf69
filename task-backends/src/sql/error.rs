//! What the store reports, as errors for people.

use task_core::{Error, ErrorKind};

/// The primary result code of SQLite behind an error, if it is one of its errors.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    // An extended code has the primary one in its low byte.
    Some(error.as_database_error()?.code()?.parse::<u32>().ok()? & 0xff)
}

/// An error of the store with the kind that says what the caller can do.
pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    if is_duplicate(&error) && error.to_string().contains("task.id") {
        return Error::new(ErrorKind::State, "a task with this id is enqueued already").because(error);
    }
    if is_missing(&error) {
        return Error::new(ErrorKind::Corrupt, "the file lacks a part of its schema version")
            .hint("restore it from a copy; `PRAGMA user_version` says which version it claims to have")
            .because(error);
    }
    // Codes: https://www.sqlite.org/rescode.html
    let (kind, message, hint) = match (&error, primary_code(&error)) {
        (_, Some(5 | 6)) => (
            ErrorKind::Unavailable,
            "another process is writing to the store for too long",
            "keep write transactions on the file short, then try again",
        ),
        (_, Some(8)) => (
            ErrorKind::Backend,
            "the store is read-only",
            "check the owner and mode of the file and its folder, and how the disk is mounted",
        ),
        (_, Some(10)) => (
            ErrorKind::Unavailable,
            "the disk reports an error",
            "check the disk and the file system",
        ),
        (_, Some(11 | 26)) => (
            ErrorKind::Corrupt,
            "the file is damaged or no SQLite database",
            "restore it from a copy, or name another file in `url`",
        ),
        (_, Some(13)) => (
            ErrorKind::Unavailable,
            "the disk is full",
            "make room; nothing was written, and a worker tries again",
        ),
        (_, Some(14)) => (
            ErrorKind::Backend,
            "the file cannot be opened",
            "does its folder exist, and may this user write there?",
        ),
        (sqlx::Error::PoolTimedOut, _) => (
            ErrorKind::Unavailable,
            "no connection became free in time",
            "try again, or read less at a time",
        ),
        (sqlx::Error::WorkerCrashed, _) => (
            ErrorKind::Unavailable,
            "the connection to the store is gone",
            "it is opened again; try again",
        ),
        (sqlx::Error::PoolClosed, _) => (ErrorKind::State, "the store is closed", "the backend was closed"),
        (sqlx::Error::Io(_), _) => (
            ErrorKind::Unavailable,
            "the store cannot be reached",
            "check the disk and the path",
        ),
        _ => return Error::new(ErrorKind::Backend, "the store reports an error").because(error),
    };
    Error::new(kind, message).hint(hint).because(error)
}

/// Whether a table or a column is not there that every file of this schema version has.
fn is_missing(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(1)
        && ["no such table", "no such column", "has no column named"]
            .iter()
            .any(|words| error.to_string().contains(words))
}

/// Whether a row with this unique value was there already.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// A stored value that is not what it must be.
pub(crate) fn corrupt(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, what.into()).hint("was the file written to by something else?")
}
