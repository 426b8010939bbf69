//! What PostgreSQL reports.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use task_core::ErrorKind;

use crate::sql::error::Explained;

/// What one of PostgreSQL's errors means; `None` for another driver's and for those that
/// speak for themselves. Codes: the appendix "PostgreSQL Error Codes" of its manual.
pub(crate) fn explain(error: &dyn DatabaseError) -> Option<Explained> {
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    let again = "it is tried again by itself";
    Some(match error.code() {
        "40P01" | "40001" | "55P03" => (
            ErrorKind::Unavailable,
            "another transaction was in the way",
            "keep transactions on these tables short, then try again",
        ),
        "57014" => (
            ErrorKind::Unavailable,
            "the statement took too long",
            "is the database overloaded? Try again",
        ),
        "57P01" | "57P02" | "57P03" => (ErrorKind::Unavailable, "the server ends or begins", again),
        "25006" => (
            ErrorKind::Unavailable,
            "the server is read-only",
            "is it a standby? It is tried again by itself",
        ),
        "53100" => (
            ErrorKind::Unavailable,
            "the disk is full",
            "make room; nothing was written, and a worker tries again",
        ),
        "53300" => (
            ErrorKind::Unavailable,
            "the server has no connection left",
            "raise max_connections, or put a pooler before it",
        ),
        "28P01" | "28000" => (
            ErrorKind::Backend,
            "the server does not let this user in",
            "check user and password in `url`",
        ),
        "3D000" => (
            ErrorKind::Backend,
            "the server has no such database",
            "create it, or name another one in `url`",
        ),
        "42P01" | "42703" => (
            ErrorKind::Corrupt,
            "the schema lacks a part of its version",
            "restore it from a copy; the table schema_version says which version it claims to have",
        ),
        "42501" => (
            ErrorKind::Backend,
            "the database does not allow this to the user",
            "grant it the schema, or let its owner run `migrate`",
        ),
        code if code.starts_with("08") => (
            ErrorKind::Unavailable,
            "the connection to the server broke",
            again,
        ),
        code if code.starts_with("53") || code.starts_with("57") || code.starts_with("58") => {
            (ErrorKind::Unavailable, "the server is in trouble", again)
        }
        code if code.starts_with("XX") => (
            ErrorKind::Corrupt,
            "the server reports damaged data",
            "see its log; restore from a copy if need be",
        ),
        _ => return None,
    })
}
