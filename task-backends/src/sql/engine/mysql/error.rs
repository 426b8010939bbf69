//! What MySQL and MariaDB report.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use task_core::ErrorKind;

use crate::sql::error::Explained;

/// What one of MySQL's errors means; `None` for another driver's and for those that speak
/// for themselves. Numbers: the "Error Message Reference" of its manual.
pub(crate) fn explain(error: &dyn DatabaseError) -> Option<Explained> {
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    let again = "it is tried again by itself";
    Some(match error.number() {
        1205 | 1213 | 3572 => (
            ErrorKind::Unavailable,
            "another transaction was in the way",
            "keep transactions on these tables short, then try again",
        ),
        1040 | 1203 | 1226 => (
            ErrorKind::Unavailable,
            "the server has no connection left",
            "raise max_connections",
        ),
        1053 | 1077 | 1079 | 1927 | 4031 => (ErrorKind::Unavailable, "the server ends or begins", again),
        1290 | 1836 => (
            ErrorKind::Unavailable,
            "the server is read-only",
            "is it a replica? It is tried again by itself",
        ),
        1021 | 1114 => (
            ErrorKind::Unavailable,
            "the disk is full",
            "make room; nothing was written, and a worker tries again",
        ),
        1317 | 1969 | 3024 => (
            ErrorKind::Unavailable,
            "the statement took too long",
            "is the database overloaded? Try again",
        ),
        1044 | 1045 | 1698 => (
            ErrorKind::Backend,
            "the server does not let this user in",
            "check user, password and grants of the one in `url`",
        ),
        1049 => (
            ErrorKind::Backend,
            "the server has no such database",
            "create it, or name another one in `url`",
        ),
        1142 | 1143 | 1227 => (
            ErrorKind::Backend,
            "the database does not allow this to the user",
            "grant it, or let the owner run `migrate`",
        ),
        1146 | 1054 => (
            ErrorKind::Corrupt,
            "the database lacks a part of its schema version",
            "restore it from a copy; the table schema_version says which version it claims to have",
        ),
        1153 => (
            ErrorKind::TooLarge,
            "the server takes no statement of this size",
            "raise max_allowed_packet above the largest arguments or result",
        ),
        1665 => (
            ErrorKind::Backend,
            "the server's binary log cannot record this",
            "set binlog_format to ROW or MIXED",
        ),
        _ => return None,
    })
}
