//! What the store reports, as errors for people.

use sqlx::error::DatabaseError;
use task_core::{Error, ErrorKind};

/// The kind that says what the caller can do, one sentence, and what to do.
pub(crate) type Explained = (ErrorKind, &'static str, &'static str);

/// What an engine's own error means, by whichever driver it is of.
fn explain(error: &dyn DatabaseError) -> Option<Explained> {
    let mut explained = None;
    #[cfg(feature = "sqlite")]
    {
        explained = explained.or_else(|| super::engine::sqlite::explain(error));
    }
    #[cfg(feature = "postgres")]
    {
        explained = explained.or_else(|| super::engine::postgres::explain(error));
    }
    #[cfg(feature = "mysql")]
    {
        explained = explained.or_else(|| super::engine::mysql::explain(error));
    }
    explained
}

/// An error of the store with the kind that says what the caller can do.
pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    if is_duplicate(&error, &["worker.id", "worker_living"]) {
        return Error::new(ErrorKind::State, "a worker of this name is alive already").because(error);
    }
    if is_duplicate(&error, &["task.id", "task_id_key"]) {
        return Error::new(ErrorKind::State, "a task with this id is enqueued already").because(error);
    }
    let explained = match &error {
        sqlx::Error::Database(reported) => explain(&**reported),
        sqlx::Error::PoolTimedOut => Some((
            ErrorKind::Unavailable,
            "no connection became free in time",
            "try again, or read less at a time",
        )),
        sqlx::Error::WorkerCrashed => Some((
            ErrorKind::Unavailable,
            "the connection to the store is gone",
            "it is opened again; try again",
        )),
        sqlx::Error::PoolClosed => Some((ErrorKind::State, "the store is closed", "the backend was closed")),
        sqlx::Error::Io(trouble) if trouble.kind() == std::io::ErrorKind::InvalidData => Some((
            ErrorKind::Unavailable,
            "no encrypted connection could be made",
            "is the certificate for the host in `url`, and of the authority that `sslrootcert` \
             (PostgreSQL) or `ssl-ca` (MySQL) names there?",
        )),
        sqlx::Error::Io(_) => Some((
            ErrorKind::Unavailable,
            "the store cannot be reached",
            "is it running, and is its place right? It is tried again by itself",
        )),
        sqlx::Error::Tls(_) => Some((
            ErrorKind::Unavailable,
            "no encrypted connection could be made",
            "check the certificates, or `sslmode` in the url",
        )),
        // A connection that was cut in the middle of an answer.
        sqlx::Error::Protocol(_) => Some((
            ErrorKind::Unavailable,
            "the connection to the store broke",
            "it is opened again; try again",
        )),
        _ => None,
    };
    match explained {
        Some((kind, message, hint)) => Error::new(kind, message).hint(hint).because(error),
        None => Error::new(ErrorKind::Backend, "the store reports an error").because(error),
    }
}

/// Whether a row was there already, by the names of what is unique: SQLite says the column,
/// servers say the constraint.
fn is_duplicate(error: &sqlx::Error, names: &[&str]) -> bool {
    let Some(reported) = error.as_database_error() else {
        return false;
    };
    reported.is_unique_violation() && names.iter().any(|name| reported.message().contains(name))
}

/// A stored value that is not what it must be.
pub(crate) fn corrupt(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, what.into()).hint("was the store written to by something else?")
}
