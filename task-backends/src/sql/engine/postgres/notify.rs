//! Processes wake each other by notifications.
//!
//! A notification inside a commit makes commits wait for each other, so none is sent there:
//! after commits, one statement tells about all of the last few milliseconds. What gets lost
//! costs time only, because whoever waits looks for itself now and then.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::sql::watch::{Looker, Watch};

/// At most one notification in this time.
const DEBOUNCE: Duration = Duration::from_millis(5);

/// How long to wait before listening again after that failed, and at most.
const LISTEN_AGAIN: Duration = Duration::from_millis(100);
const LISTEN_AGAIN_AT_MOST: Duration = Duration::from_secs(10);

/// After this long without any notification, whether the connection still lives is tried.
const QUIET: Duration = Duration::from_secs(20);

const CHANGED: u8 = 1;
const READY: u8 = 2;

/// A message: what happened, and who says so.
pub(super) fn message(from: &str, made_ready: bool) -> String {
    format!("{} {from}", if made_ready { "ready" } else { "changed" })
}

/// Tells others what this process wrote.
pub(super) struct Notifier {
    told: Arc<Told>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Told {
    pool: PgPool,
    channel: String,
    /// By which this process knows its own messages.
    own_name: String,
    waiting: AtomicU8,
    wake: Notify,
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notifier({})", self.told.channel)
    }
}

impl Notifier {
    pub(super) fn new(pool: PgPool, channel: String) -> Self {
        Self {
            told: Arc::new(Told {
                pool,
                channel,
                own_name: uuid::Uuid::now_v7().to_string(),
                waiting: AtomicU8::new(0),
                wake: Notify::new(),
            }),
            task: Mutex::new(None),
        }
    }

    pub(super) fn own_name(&self) -> String {
        self.told.own_name.clone()
    }

    /// Begins to send what it is told.
    pub(super) fn start(&self) {
        let told = self.told.clone();
        let task = tokio::spawn(async move {
            loop {
                told.wake.notified().await;
                told.send().await;
                tokio::time::sleep(DEBOUNCE).await;
            }
        });
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Something was committed.
    pub(super) fn tell(&self, made_ready: bool) {
        let what = if made_ready { READY | CHANGED } else { CHANGED };
        self.told.waiting.fetch_or(what, Ordering::SeqCst);
        self.told.wake.notify_one();
    }

    /// Sends what is left and ends.
    pub(super) async fn close(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
            self.told.send().await;
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Told {
    async fn send(&self) {
        let what = self.waiting.swap(0, Ordering::SeqCst);
        if what == 0 {
            return;
        }
        let Self {
            channel, own_name, ..
        } = self;
        let message = message(own_name, what & READY != 0);
        // Nobody waits for the disk because of a notification. Both names are our own.
        let sql =
            format!("BEGIN; SET LOCAL synchronous_commit = off; NOTIFY \"{channel}\", '{message}'; COMMIT");
        let sent = self.pool.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "others were not notified");
        }
    }
}

/// Listens on a connection of its own, again and again.
pub(super) fn listen(watch: Watch, connect: PgConnectOptions, channel: String, own_name: String) -> Looker {
    Looker::start(|ended| async move {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(super::CONNECT_WITHIN)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(connect);
        tokio::select! {
            () = listen_on(&watch, &pool, &channel, &own_name) => {}
            () = ended.notified() => {}
        }
        pool.close().await;
    })
}

async fn listen_on(watch: &Watch, pool: &PgPool, channel: &str, own_name: &str) {
    let mut pause = LISTEN_AGAIN;
    loop {
        match hear(watch, pool, channel, own_name, &mut pause).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "cannot listen for changes"),
        }
        // What was not heard meanwhile may be something to claim.
        watch.committed(true);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LISTEN_AGAIN_AT_MOST);
    }
}

/// Listens until the connection is lost.
async fn hear(
    watch: &Watch,
    pool: &PgPool,
    channel: &str,
    own_name: &str,
    pause: &mut Duration,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    *pause = LISTEN_AGAIN;
    watch.committed(true);
    loop {
        let heard = match tokio::time::timeout(QUIET, listener.try_recv()).await {
            Ok(heard) => heard?,
            Err(_) => {
                let alive = tokio::time::timeout(super::CONNECT_WITHIN, listener.execute("SELECT 1"));
                if !matches!(alive.await, Ok(Ok(_))) {
                    return Ok(());
                }
                continue;
            }
        };
        let Some(notification) = heard else { return Ok(()) };
        let (what, from) = notification.payload().split_once(' ').unwrap_or_default();
        if from != own_name {
            watch.committed(what == "ready");
        }
    }
}
