//! What the server reports, as errors for people. Addresses and passwords stand in no message.

use redis::{ErrorKind as Redis, RedisError, ServerErrorKind};
use task_core::{Error, ErrorKind};

/// Whether the same command may succeed a moment later.
pub(crate) fn is_worth_another_try(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_connection_refusal()
        || error.is_timeout()
        || matches!(error.kind(), Redis::ClusterConnectionNotFound)
        || matches!(
            error.code(),
            Some(
                "LOADING" | "CLUSTERDOWN" | "TRYAGAIN" | "MASTERDOWN" | "READONLY" | "BUSY" | "MOVED" | "ASK"
            )
        )
}

/// Whether the server's certificate was not accepted. The client keeps the cause to itself, so its words decide.
fn is_about_encryption(error: &RedisError) -> bool {
    error.is_io_error() && error.to_string().contains("certificate")
}

/// An error of the server with the kind that says what the caller can do.
pub(crate) fn from_redis(error: RedisError) -> Error {
    let refused = |message: &'static str, hint: &'static str| (ErrorKind::Backend, message, hint);
    let (kind, message, hint) = match (error.kind(), error.code()) {
        (_, Some("OOM")) => (
            ErrorKind::Unavailable,
            "the server's memory is full",
            "raise maxmemory or prune finished tasks; nothing was written",
        ),
        (_, Some("MISCONF")) => (
            ErrorKind::Unavailable,
            "the server cannot write to its disk and accepts nothing",
            "make room, see the server's log; nothing was written",
        ),
        (_, Some("NOREPLICAS")) => (
            ErrorKind::Unavailable,
            "too few replicas are connected",
            "min-replicas-to-write asks for more",
        ),
        (_, Some("NOAUTH" | "WRONGPASS")) | (Redis::AuthenticationFailed, _) => refused(
            "the server refuses the user or the password",
            "write them into `url` as redis://user:password@host",
        ),
        (_, Some("NOPERM")) => refused(
            "the user may not do this",
            "it needs the keys and channels of the prefix, @scripting and @pubsub, INFO, and what the scripts do",
        ),
        (Redis::Server(ServerErrorKind::ResponseError), _) | (_, Some("WRONGTYPE")) => (
            ErrorKind::Corrupt,
            "a script failed",
            "is the prefix used by another program?",
        ),
        _ if is_about_encryption(&error) => (
            ErrorKind::Unavailable,
            "no encrypted connection could be made",
            "is the certificate for the host in `url`, and of an authority this machine trusts? \
             SSL_CERT_FILE names another file of authorities",
        ),
        _ if is_worth_another_try(&error) => (
            ErrorKind::Unavailable,
            "the server does not answer",
            "is it running, and is `url` right? It is asked again",
        ),
        _ => refused("the server refused a command", "its answer is above"),
    };
    Error::new(kind, message).hint(hint).because(error)
}

/// An answer that is not what a script returns.
pub(crate) fn corrupt(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, what.into())
        .hint("was the key written by another program, or by another version?")
}
