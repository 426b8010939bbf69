//! The connection to the server or the cluster: runs scripts, reconnects by itself, and never waits
//! longer than it says.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};
use task_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::{from_redis, is_worth_another_try};
use super::scripts::Script;

/// How long making a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long the server may take for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// For how long a call that failed for lack of a server is tried again.
const TRY_FOR: Duration = Duration::from_secs(3);
/// The pause after the first such failure; the next ones are longer.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The arguments of a script, one after another in one buffer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Arguments {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arguments {
    pub(crate) fn with_capacity(arguments: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(arguments),
        }
    }

    pub(crate) fn push(&mut self, argument: impl AsRef<[u8]>) {
        self.write(|bytes| bytes.extend_from_slice(argument.as_ref()));
    }

    pub(crate) fn number(&mut self, number: impl fmt::Display) {
        self.write(|bytes| {
            use std::io::Write as _;
            let _ = write!(bytes, "{number}");
        });
    }

    /// One argument that is written in place.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn append(&mut self, other: &Self) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| base + end));
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.bytes[start..*end])
    }
}

/// Arguments from texts.
pub(crate) fn arguments<const N: usize>(texts: [&str; N]) -> Arguments {
    let mut arguments = Arguments::default();
    texts.iter().for_each(|text| arguments.push(text));
    arguments
}

/// By which clock a step goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    /// The clock of the server that has the shard.
    Server,
    /// A time that the home shard told, in microseconds.
    At(i64),
}

enum Wire {
    Single {
        client: Client,
        connection: Mutex<Option<MultiplexedConnection>>,
    },
    Cluster {
        client: ClusterClient,
        connection: Mutex<Option<ClusterConnection>>,
    },
}

/// What the scripts of one backend go through.
pub(crate) struct Link {
    wire: Wire,
    prefix: String,
    shards: u16,
    /// The shards that have been written to, one bit each, as far as this process has heard.
    used: AtomicU32,
    ahead: Arc<AtomicI64>,
    is_closed: AtomicBool,
}

impl Link {
    pub(crate) fn single(client: Client, prefix: String, ahead: Arc<AtomicI64>) -> Self {
        let connection = Mutex::new(None);
        Self::new(Wire::Single { client, connection }, prefix, ahead)
    }

    pub(crate) fn cluster(nodes: Vec<String>, prefix: String, ahead: Arc<AtomicI64>) -> Result<Self> {
        let client = ClusterClient::builder(nodes)
            .connection_timeout(CONNECT_WITHIN)
            .response_timeout(ANSWER_WITHIN)
            .overall_response_timeout(Some(ANSWER_WITHIN))
            .build()
            .map_err(from_redis)?;
        let connection = Mutex::new(None);
        Ok(Self::new(Wire::Cluster { client, connection }, prefix, ahead))
    }

    fn new(wire: Wire, prefix: String, ahead: Arc<AtomicI64>) -> Self {
        Self {
            wire,
            prefix,
            shards: 1,
            used: AtomicU32::new(1),
            ahead,
            is_closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.wire, Wire::Cluster { .. })
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn set_shards(&mut self, shards: u16) {
        self.shards = shards;
    }

    /// How many shards there are.
    pub(crate) fn width(&self) -> u16 {
        self.shards
    }

    /// The shards that tasks may be on.
    pub(crate) fn shards(&self) -> impl Iterator<Item = u16> + use<> {
        bits(self.used.load(Ordering::SeqCst))
    }

    /// Takes note of shards that have been written to.
    pub(crate) fn heard_of(&self, used: u32) {
        self.used.fetch_or(used, Ordering::SeqCst);
    }

    /// Whether everything lies on one shard, so that every step is one script.
    pub(crate) fn is_one(&self) -> bool {
        self.shards == 1
    }

    /// The shard of a queue. Written down in every store: never to be changed.
    pub(crate) fn shard_of(&self, queue: &str) -> u16 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in queue.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        u16::try_from((hash >> 16) % u64::from(self.shards)).unwrap_or(0)
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    /// Runs a script on a shard; shard 0 is the home of what is not of a queue.
    pub(crate) async fn call(
        &self,
        script: &Script,
        shard: u16,
        time: Time,
        arguments: &Arguments,
    ) -> Result<Value> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::State, "the store is closed"));
        }
        let clock = match time {
            Time::Server => format!("{:+}", self.ahead.load(Ordering::SeqCst)),
            Time::At(now) => format!("={now}"),
        };
        let tag = format!("{{{}:{shard}}}", self.prefix);
        let command = |verb: &str, what: &str| {
            let mut command = redis::cmd(verb);
            command.arg(what).arg(1).arg(&tag).arg(&clock);
            arguments.iter().for_each(|argument| {
                command.arg(argument);
            });
            command
        };
        let mut by_hash = command("EVALSHA", &script.hash);
        let (give_up, mut pause) = (Instant::now() + TRY_FOR, FIRST_PAUSE);
        loop {
            let error = match self.send(&by_hash).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if error.code() == Some("NOSCRIPT") {
                // The server was restarted, or forgot its scripts: this makes it know the script again.
                match self.send(&command("EVAL", &script.text)).await {
                    Ok(value) => return Ok(value),
                    Err(again) if !may_repeat(script, &again) || Instant::now() > give_up => {
                        return Err(from_redis(again).at(script.name));
                    }
                    Err(_) => {}
                }
            } else if !may_repeat(script, &error) || Instant::now() > give_up {
                return Err(from_redis(error).at(script.name));
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
            by_hash = command("EVALSHA", &script.hash);
        }
    }

    /// One command as it is, to any server of the cluster.
    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        match &self.wire {
            Wire::Single { client, connection } => {
                let mut own = {
                    let mut kept = connection.lock().await;
                    match &*kept {
                        Some(connection) => connection.clone(),
                        None => kept.insert(connect(client).await?).clone(),
                    }
                };
                let answer = own
                    .req_packed_command(command)
                    .await
                    .and_then(Value::extract_error);
                if answer.as_ref().is_err_and(is_end_of_connection) {
                    // Whoever comes next makes a new one. Several may find this one broken.
                    *connection.lock().await = None;
                }
                answer
            }
            Wire::Cluster { client, connection } => {
                let mut own = {
                    let mut kept = connection.lock().await;
                    match &*kept {
                        Some(connection) => connection.clone(),
                        None => kept.insert(client.get_async_connection().await?).clone(),
                    }
                };
                let answer = own
                    .req_packed_command(command)
                    .await
                    .and_then(Value::extract_error);
                if answer.as_ref().is_err_and(RedisError::is_timeout) {
                    *connection.lock().await = None;
                }
                answer
            }
        }
    }
}

/// Whether nothing can be expected of this connection any more. One that is open and silent may stay so
/// for ever: packets are dropped on the way, and nobody is told.
fn is_end_of_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout()
}

fn bits(used: u32) -> impl Iterator<Item = u16> {
    (0..32).filter(move |shard| used & (1 << shard) != 0)
}

fn may_repeat(script: &Script, error: &RedisError) -> bool {
    is_worth_another_try(error) && (script.is_repeatable || error.is_connection_refusal())
}

/// A connection of its own, for many callers at a time.
async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// A connection to look at a server before anything is known of it.
pub(crate) async fn probe(client: &Client, command: &Cmd) -> Result<Value, RedisError> {
    connect(client)
        .await?
        .req_packed_command(command)
        .await?
        .extract_error()
}

/// Runs a script on every shard that tasks may be on, at the same time.
pub(crate) async fn each(
    link: &Link,
    script: &Script,
    time: Time,
    arguments: &Arguments,
) -> Result<Vec<(u16, Value)>> {
    on(link, link.shards(), script, time, arguments).await
}

/// Runs a script on these shards at the same time.
pub(crate) async fn on(
    link: &Link,
    shards: impl Iterator<Item = u16>,
    script: &Script,
    time: Time,
    arguments: &Arguments,
) -> Result<Vec<(u16, Value)>> {
    let calls = shards.map(async |shard| Ok((shard, link.call(script, shard, time, arguments).await?)));
    futures_util::future::try_join_all(calls).await
}
