//! Redis, alone and as a cluster: a prefix of a test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use conformance::Store;
use redis::{Client, Commands as _, Connection};
use task_backends::{RedisBackend, RedisOptions};
use task_core::TaskId;

use super::server;

/// The kind of backend in settings.
pub const KIND: &str = "redis";
/// The variable that says where the single server is.
pub const SERVER: &str = "TEST_REDIS_URL";
/// The variable that says where the cluster is.
pub const CLUSTER: &str = "TEST_REDIS_CLUSTER_URL";

/// Keys that no other test uses, deleted when this is dropped.
pub struct Place {
    pub url: String,
    pub prefix: String,
    pub ahead: Arc<AtomicI64>,
}

impl Place {
    pub fn new(variable: &str) -> Self {
        Self {
            url: server(variable),
            prefix: format!("test-{}", TaskId::new()),
            ahead: Arc::new(AtomicI64::new(0)),
        }
    }

    /// The url and the options of settings.
    pub fn settings(&self) -> String {
        let Self { url, prefix, .. } = self;
        format!("url = \"{url}\"\noptions = {{ prefix = \"{prefix}\" }}\n")
    }

    pub fn options(&self) -> RedisOptions {
        let options = RedisOptions::from_url(&self.url).expect("the variable names servers");
        let options = options.prefix(&self.prefix).expect("a prefix like any other");
        options.ahead_by(self.ahead.clone())
    }

    pub async fn open(&self) -> RedisBackend {
        RedisBackend::open(self.options())
            .await
            .expect("the server can be opened")
    }

    /// Connections to all servers that do not go through the backend.
    pub fn outside(&self) -> Vec<Connection> {
        let connect = |node: &str| {
            let client = Client::open(node.trim()).expect("an address");
            client.get_connection().expect("the server answers")
        };
        self.url.split(',').map(connect).collect()
    }

    /// A store for a case of the suite.
    pub async fn store(variable: &str) -> Store {
        let place = Arc::new(Self::new(variable));
        let (opening, ahead) = (place.clone(), place.ahead.clone());
        let open = move || {
            let place = opening.clone();
            async move { place.open().await }
        };
        let advance = move |by: Duration| {
            ahead.fetch_add(i64::try_from(by.as_micros()).expect("a time"), Ordering::SeqCst);
            std::future::ready(())
        };
        Store::opened_by(open).await.moved_by(advance).keeping(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for mut server in self.outside() {
            let keys: Vec<Vec<u8>> = match server.scan_match(format!("{{{}:*", self.prefix)) {
                Ok(keys) => keys.filter_map(Result::ok).collect(),
                Err(_) => continue,
            };
            for key in keys {
                // A replica has them, too, and deletes them with its master.
                let _: Result<(), _> = server.unlink(key);
            }
        }
    }
}
