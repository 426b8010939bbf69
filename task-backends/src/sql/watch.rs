//! Noticing that the store changed: by this process at once, by others within
//! milliseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, Row as _, SqliteConnection};
use task_core::{Clock, Result, Wake};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::error::from_sqlx;

/// How often a waiting process looks whether another one wrote. One look is a few
/// microseconds of work; half of this is what a task of another process waits on average.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Tells who waits that something changed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

struct Inner {
    /// Counts changes after which there may be something to claim.
    ready: watch::Sender<u64>,
    /// Counts all changes.
    any: watch::Sender<u64>,
    /// How many wait; nobody looks for them while there are none.
    waiting: AtomicUsize,
    somebody_waits: Notify,
}

/// Counts a waiter for as long as it waits, also when its wait is dropped.
struct Waiter<'w>(&'w Inner);

impl<'w> Waiter<'w> {
    fn new(inner: &'w Inner) -> Self {
        if inner.waiting.fetch_add(1, Ordering::SeqCst) == 0 {
            inner.somebody_waits.notify_one();
        }
        Self(inner)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            ready: watch::Sender::new(1),
            any: watch::Sender::new(1),
            waiting: AtomicUsize::new(0),
            somebody_waits: Notify::new(),
        }))
    }

    /// This process committed something.
    pub(crate) fn committed(&self, made_ready: bool) {
        self.0.any.send_modify(|count| *count += 1);
        if made_ready {
            self.0.ready.send_modify(|count| *count += 1);
        }
    }

    /// Waits for a change after `since` that may have left something to claim.
    pub(crate) async fn ready(&self, since: Wake, timeout: Duration) -> Wake {
        let _waiter = Waiter::new(&self.0);
        let mut changes = self.0.ready.subscribe();
        let _ = tokio::time::timeout(timeout, changes.wait_for(|count| *count > since.0)).await;
        Wake(*self.0.ready.borrow())
    }

    /// Waits for any change.
    pub(crate) async fn any(&self, timeout: Duration) {
        let _waiter = Waiter::new(&self.0);
        let mut changes = self.0.any.subscribe();
        let _ = tokio::time::timeout(timeout, changes.changed()).await;
    }

    /// Looks for what other processes write, on a connection of its own.
    pub(crate) fn start(&self, mut connection: SqliteConnection, clock: Clock) -> Looking {
        let inner = self.0.clone();
        let end = Arc::new(Notify::new());
        let ended = end.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = look(&inner, &mut connection, &clock) => {}
                () = ended.notified() => {}
            }
            // A connection that does not close cleanly is closed by being dropped.
            let _ = connection.close().await;
        });
        Looking { end, task }
    }
}

/// The looking for what other processes write. It goes on until it is ended or dropped.
pub(crate) struct Looking {
    end: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Looking {
    /// Ends it and closes its connection.
    pub(crate) async fn end(mut self) {
        self.end.notify_one();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(inner: &Inner, connection: &mut SqliteConnection, clock: &Clock) {
    let mut seen = 0;
    loop {
        while inner.waiting.load(Ordering::SeqCst) == 0 {
            inner.somebody_waits.notified().await;
        }
        match version(connection).await {
            Ok(version) if version != seen => {
                seen = version;
                inner.any.send_modify(|count| *count += 1);
                let now = clock.now().as_microsecond();
                if is_anything_ready(connection, now).await.unwrap_or(true) {
                    inner.ready.send_modify(|count| *count += 1);
                }
            }
            Ok(_) => {}
            // Not seeing changes is not fatal: waits end by their timeouts.
            Err(error) => tracing::debug!(%error, "cannot look for changes"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// SQLite's own count of changes by other connections.
async fn version(connection: &mut SqliteConnection) -> Result<i64> {
    let row = sqlx::query("PRAGMA data_version")
        .fetch_one(connection)
        .await
        .map_err(from_sqlx)?;
    row.try_get(0).map_err(from_sqlx)
}

async fn is_anything_ready(connection: &mut SqliteConnection, now: i64) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM ready) OR EXISTS (SELECT 1 FROM scheduled WHERE due <= ?)";
    let row = sqlx::query(query)
        .bind(now)
        .fetch_one(connection)
        .await
        .map_err(from_sqlx)?;
    row.try_get(0).map_err(from_sqlx)
}
