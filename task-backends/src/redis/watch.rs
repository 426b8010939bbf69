//! Noticing that the store changed: by this process at once, by others through a channel, and by looking
//! now and then in case the channel was cut.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::Client;
use redis::aio::PubSub;
use task_core::{Result, Wake};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::from_redis;

/// The longest that waiting for a change of any task lasts before it looks by itself.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The pause before another try to listen.
const PAUSE: Duration = Duration::from_millis(250);
/// How long making the connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Tells who waits that something changed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

struct Inner {
    /// Counts changes after which there may be something to claim.
    ready: watch::Sender<u64>,
    /// Counts all changes.
    any: watch::Sender<u64>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            ready: watch::Sender::new(1),
            any: watch::Sender::new(1),
        }))
    }

    /// This process, or another one, wrote something.
    pub(crate) fn happened(&self, made_ready: bool) {
        self.0.any.send_modify(|count| *count += 1);
        if made_ready {
            self.0.ready.send_modify(|count| *count += 1);
        }
    }

    /// Waits for a change after `since` that may have left something to claim.
    pub(crate) async fn ready(&self, since: Wake, timeout: Duration) -> Wake {
        let mut changes = self.0.ready.subscribe();
        let _ = tokio::time::timeout(timeout, changes.wait_for(|count| *count > since.0)).await;
        Wake(*self.0.ready.borrow())
    }

    /// Waits for any change.
    pub(crate) async fn any(&self, timeout: Duration) {
        let mut changes = self.0.any.subscribe();
        let _ = tokio::time::timeout(timeout.min(LOOK_EVERY), changes.changed()).await;
    }

    /// Listens to what other processes write, on a connection of its own. Returns when it listens.
    pub(crate) async fn listen(&self, clients: Vec<Client>, prefix: &str) -> Result<Listening> {
        let channels = [format!("{prefix}:ready"), format!("{prefix}:changed")];
        let mut listener = Listener {
            clients,
            channels,
            turn: 0,
        };
        let first = listener.subscribe().await.map_err(from_redis)?;
        let watch = self.clone();
        Ok(Listening(tokio::spawn(async move {
            let mut connection = Some(first);
            loop {
                match connection.take() {
                    Some(connection) => watch.hear(connection, &listener.channels[0]).await,
                    None => tokio::time::sleep(PAUSE).await,
                }
                match listener.subscribe().await {
                    Ok(next) => {
                        // Something may have come while nobody listened.
                        watch.happened(true);
                        connection = Some(next);
                    }
                    Err(error) => tracing::debug!(%error, "cannot listen for changes"),
                }
            }
        })))
    }

    async fn hear(&self, mut connection: PubSub, ready: &str) {
        let mut messages = connection.on_message();
        while let Some(message) = messages.next().await {
            self.happened(message.get_channel_name() == ready);
        }
    }
}

struct Listener {
    /// The servers that can be listened to: in a cluster each of them hears everything.
    clients: Vec<Client>,
    channels: [String; 2],
    turn: usize,
}

impl Listener {
    async fn subscribe(&mut self) -> Result<PubSub, redis::RedisError> {
        let client = &self.clients[self.turn % self.clients.len()];
        // When this one fails it is the next one's turn.
        self.turn += 1;
        let connecting = async {
            let mut connection = client.get_async_pubsub().await?;
            for channel in &self.channels {
                connection.subscribe(channel).await?;
            }
            Ok(connection)
        };
        let late = |_| redis::RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(CONNECT_WITHIN, connecting)
            .await
            .map_err(late)?
    }
}

/// The listening. It ends when it is dropped.
pub(crate) struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}
