//! Where the server is, and how it is used.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use redis::{Client, IntoConnectionInfo as _};
use task_core::{Error, ErrorKind, Result};

/// The longest prefix, in bytes.
const MAX_PREFIX_BYTES: usize = 64;

/// Which server or cluster to open and how.
#[derive(Clone)]
pub struct RedisOptions {
    nodes: Vec<String>,
    prefix: String,
    pub(crate) allow_eviction: bool,
    pub(crate) ahead: Arc<AtomicI64>,
}

impl RedisOptions {
    /// The server of a URL: `redis://user:password@host:6379/0`, `rediss://..` through TLS. For a
    /// cluster the URLs of some of its servers, with commas between; one is enough to find the others.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] when it is no such URL.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::parse(url, cfg!(feature = "tls"))
    }

    fn parse(url: &str, has_tls: bool) -> Result<Self> {
        let nodes: Vec<String> = url.split(',').map(|node| node.trim().to_owned()).collect();
        for node in &nodes {
            // A URL may hold a password: no message repeats it.
            let wrong = |what: &str| {
                Error::new(ErrorKind::Settings, format!("the url of a Redis server {what}"))
                    .hint("write it like redis://user:password@host:6379/0, several of a cluster with commas between")
            };
            if !has_tls && is_tls(node) {
                return Err(wrong(
                    "asks for TLS, which this build does not have (feature `tls`)",
                ));
            }
            node.as_str()
                .into_connection_info()
                .map_err(|_| wrong("cannot be understood"))?;
        }
        Ok(Self {
            nodes,
            prefix: "tasks".to_owned(),
            allow_eviction: false,
            ahead: Arc::new(AtomicI64::new(0)),
        })
    }

    /// With keys that begin with this word, `tasks` unless told otherwise: several stores share a server
    /// by different prefixes.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] unless it is 1 to 64 letters, digits, `-`, `_`, `.` or `:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Result<Self> {
        self.prefix = prefix.into();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if self.prefix.is_empty() || self.prefix.len() > MAX_PREFIX_BYTES || !self.prefix.bytes().all(fits) {
            let message = format!("`prefix` is `{}`", self.prefix);
            return Err(Error::new(ErrorKind::Settings, message)
                .hint("1 to 64 ASCII letters, digits, `-`, `_`, `.` or `:`"));
        }
        Ok(self)
    }

    /// Accepts a server that deletes keys when its memory is full, tasks among them.
    #[must_use]
    pub fn allow_eviction(mut self) -> Self {
        self.allow_eviction = true;
        self
    }

    /// Adds these microseconds to the server's time: for tests that move time.
    #[must_use]
    pub fn ahead_by(mut self, microseconds: Arc<AtomicI64>) -> Self {
        self.ahead = microseconds;
        self
    }

    pub(crate) fn nodes(&self) -> &[String] {
        &self.nodes
    }

    pub(crate) fn name(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn clients(&self) -> Result<Vec<Client>> {
        #[cfg(feature = "tls")]
        if self.nodes.iter().any(|node| is_tls(node)) {
            // Without a choice the first connection would panic; a choice of the program's stands.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let clients = self.nodes.iter().map(|node| Client::open(node.as_str()));
        clients
            .collect::<Result<_, _>>()
            .map_err(super::error::from_redis)
    }
}

fn is_tls(url: &str) -> bool {
    url.starts_with("rediss:") || url.starts_with("valkeys:")
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the URLs, which may hold passwords.
        write!(
            f,
            "RedisOptions({} at {} addresses)",
            self.prefix,
            self.nodes.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_or_some_of_a_cluster() {
        for url in [
            "redis://host",
            "redis://user:pa%20ss@host:6380/3",
            "redis://a:1/, redis://b:2/",
            "valkey://host",
        ] {
            RedisOptions::from_url(url).expect(url);
        }
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_repeating_its_password() {
        for url in [
            "postgres://u:secret@x",
            "redis://u:secret@x:port",
            "",
            "redis://a,secret",
        ] {
            let error = RedisOptions::from_url(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.advice().is_some());
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let options = RedisOptions::from_url("redis://u:secret@x").expect("a URL");
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn a_url_through_tls_is_refused_by_a_build_without_it() {
        for url in ["rediss://host", "redis://a:1,rediss://b:2"] {
            let error = RedisOptions::parse(url, false).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.to_string().contains("feature `tls`"), "{error}");
        }
    }

    #[test]
    fn a_prefix_that_would_break_the_slots_is_refused() {
        let options = RedisOptions::from_url("redis://x").expect("a URL");
        for prefix in ["", "a{b}", "a b", &"x".repeat(65)] {
            options.clone().prefix(prefix).expect_err(prefix);
        }
        options.prefix("app-1:tasks_v2.x").expect("fits");
    }
}
