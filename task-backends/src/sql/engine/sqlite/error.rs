//! What SQLite reports.

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;
use task_core::ErrorKind;

use crate::sql::error::Explained;

/// What one of SQLite's errors means; `None` for another driver's and for those that speak
/// for themselves.
pub(crate) fn explain(error: &dyn DatabaseError) -> Option<Explained> {
    let error = error.try_downcast_ref::<SqliteError>()?;
    let code = error.code()?;
    // An extended code has the primary one in its low byte: https://www.sqlite.org/rescode.html
    let primary = code.parse::<u32>().ok()? & 0xff;
    Some(match primary {
        1 if is_missing(error.message()) => (
            ErrorKind::Corrupt,
            "the file lacks a part of its schema version",
            "restore it from a copy; `PRAGMA user_version` says which version it claims to have",
        ),
        5 | 6 => (
            ErrorKind::Unavailable,
            "another process is writing to the store for too long",
            "keep write transactions on the file short, then try again",
        ),
        8 => (
            ErrorKind::Backend,
            "the store is read-only",
            "check the owner and mode of the file and its folder, and how the disk is mounted",
        ),
        10 => (
            ErrorKind::Unavailable,
            "the disk reports an error",
            "check the disk and the file system",
        ),
        11 | 26 => (
            ErrorKind::Corrupt,
            "the file is damaged or no SQLite database",
            "restore it from a copy, or name another file in `url`",
        ),
        13 => (
            ErrorKind::Unavailable,
            "the disk is full",
            "make room; nothing was written, and a worker tries again",
        ),
        14 => (
            ErrorKind::Backend,
            "the file cannot be opened",
            "does its folder exist, and may this user write there?",
        ),
        _ => return None,
    })
}

/// Whether a table or a column is not there that every file of this schema version has.
fn is_missing(message: &str) -> bool {
    ["no such table", "no such column", "has no column named"]
        .iter()
        .any(|words| message.contains(words))
}
