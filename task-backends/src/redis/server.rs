//! What a server must be like for tasks to be safe on it: looked at once, when a backend is opened.

use std::collections::BTreeMap;

use redis::{Client, Value};
use task_core::{Error, ErrorKind, Result};

use super::error::{corrupt, from_redis};
use super::link::probe;

/// The oldest server whose commands are enough.
const OLDEST: (u32, u32) = (6, 2);

/// What a server says of itself.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) version: String,
    pub(crate) is_cluster: bool,
    /// Whether every write goes to a file that is read again at the next start.
    pub(crate) is_appending: bool,
}

/// Looks at the first of these servers that answers.
pub(crate) async fn look_at(clients: &[Client], allow_eviction: bool) -> Result<Server> {
    let mut last = None;
    for client in clients {
        match probe(client, redis::cmd("INFO").arg("everything")).await {
            Ok(answer) => return read(&answer, allow_eviction),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| corrupt("no address of a server"), from_redis))
}

fn read(answer: &Value, allow_eviction: bool) -> Result<Server> {
    let text = match answer {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::VerbatimString { text, .. } => text.clone(),
        other => return Err(corrupt(format!("INFO is answered with {other:?}"))),
    };
    let says: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.trim().split_once(':'))
        .collect();
    let say = |key: &str| says.get(key).copied();
    // Valkey says the version of Redis that it is like under the old name.
    let version = say("redis_version").unwrap_or("0").to_owned();
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
        let message = format!("the server is version {version}");
        return Err(
            Error::new(ErrorKind::InvalidBackend, message).hint("Redis 6.2 or newer, or Valkey, is needed")
        );
    }
    match say("maxmemory_policy") {
        None => tracing::warn!("the server does not say its maxmemory-policy: it must be noeviction"),
        Some("noeviction") => {}
        Some(policy) if allow_eviction => {
            tracing::warn!(
                policy,
                "the server may delete tasks when its memory is full, as the settings allow"
            );
        }
        Some(policy) => {
            let message = format!(
                "the server's maxmemory-policy is {policy}: it would delete tasks when its memory is full"
            );
            return Err(Error::new(ErrorKind::InvalidBackend, message)
                .hint("set maxmemory-policy to noeviction, or allow_eviction = true if tasks may be lost"));
        }
    }
    let is_appending = say("aof_enabled") == Some("1");
    let is_saving = say("rdb_last_bgsave_status").is_some() && say("rdb_saves") != Some("0");
    if !is_appending {
        tracing::warn!(
            snapshots = is_saving,
            "the server has no append-only file (appendonly): when it ends, tasks accepted since its last snapshot are lost"
        );
    }
    Ok(Server {
        version,
        is_cluster: say("redis_mode") == Some("cluster") || say("cluster_enabled") == Some("1"),
        is_appending,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str, allow_eviction: bool) -> Result<Server> {
        read(&Value::BulkString(text.as_bytes().to_vec()), allow_eviction)
    }

    #[test]
    fn an_old_server_is_refused() {
        let error =
            says("redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n", false).expect_err("too old");
        assert_eq!(error.kind(), ErrorKind::InvalidBackend);
        says("redis_version:6.2.0\r\n", false).expect("new enough");
        says("redis_version:10.0.0\r\n", false).expect("new enough");
    }

    #[test]
    fn a_server_that_evicts_is_refused_unless_that_is_allowed() {
        let info = "redis_version:7.2.4\r\nmaxmemory_policy:allkeys-lru\r\n";
        let error = says(info, false).expect_err("it evicts");
        assert!(error.to_string().contains("noeviction"), "{error}");
        says(info, true).expect("allowed");
    }

    #[test]
    fn what_a_server_is_stands_in_what_it_says() {
        let server = says(
            "redis_version:7.2.4\r\nredis_mode:cluster\r\naof_enabled:1\r\n",
            false,
        )
        .expect("fine");
        assert!(server.is_cluster && server.is_appending);
        let server = says(
            "redis_version:7.2.4\r\nredis_mode:standalone\r\naof_enabled:0\r\n",
            false,
        )
        .expect("fine");
        assert!(!server.is_cluster && !server.is_appending);
    }
}
