//! Noticing that the store changed: by this process at once, by others soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use task_core::{Result, Wake};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

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

    /// Looks for what other processes write, again and again while somebody waits.
    pub(crate) fn poll(&self, every: LookEvery, mut changes: impl Changes + 'static) -> Looker {
        let inner = self.0.clone();
        Looker::start(|ended| async move {
            look(&inner, every, &mut changes, &ended).await;
            Box::new(changes).close().await;
        })
    }
}

/// What other processes wrote.
#[async_trait]
pub(crate) trait Changes: Send {
    /// Whether anything changed since the last look, and whether there may be something to
    /// claim because of it.
    async fn look(&mut self) -> Result<(bool, bool)>;

    /// Lets go of the store.
    async fn close(self: Box<Self>);
}

/// How long to wait from one look to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LookEvery {
    least: Duration,
    most: Duration,
}

impl LookEvery {
    /// Always this long.
    pub(crate) fn fixed(every: Duration) -> Self {
        Self {
            least: every,
            most: every,
        }
    }

    /// This long after a change, then more and more.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn between(least: Duration, most: Duration) -> Self {
        Self { least, most }
    }
}

/// How long the last look may take.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// The noticing of what other processes write. It goes on until it is ended or dropped.
pub(crate) struct Looker {
    end: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Looker {
    /// Runs this until its argument is notified.
    pub(crate) fn start<L>(looking: impl FnOnce(Arc<Notify>) -> L) -> Self
    where
        L: Future<Output = ()> + Send + 'static,
    {
        let end = Arc::new(Notify::new());
        let task = tokio::spawn(looking(end.clone()));
        Self { end, task }
    }

    /// Ends it and closes its connection; one that hangs is dropped after a while.
    pub(crate) async fn end(mut self) {
        self.end.notify_one();
        let _ = tokio::time::timeout(ENDED_WITHIN, &mut self.task).await;
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks until it is ended, which it is between two looks: one that is dropped would leave its
/// connection in the middle of an answer.
async fn look(inner: &Inner, every: LookEvery, changes: &mut impl Changes, ended: &Notify) {
    let mut pause = every.least;
    loop {
        while inner.waiting.load(Ordering::SeqCst) == 0 {
            tokio::select! {
                () = inner.somebody_waits.notified() => pause = every.least,
                () = ended.notified() => return,
            }
        }
        match changes.look().await {
            Ok((any, ready)) => {
                if any {
                    inner.any.send_modify(|count| *count += 1);
                }
                if ready {
                    inner.ready.send_modify(|count| *count += 1);
                    pause = every.least;
                }
            }
            // Not seeing changes is not fatal: waits end by their timeouts.
            Err(error) => tracing::debug!(%error, "cannot look for changes"),
        }
        if tokio::time::timeout(pause, ended.notified()).await.is_ok() {
            return;
        }
        pause = (pause * 5 / 4).min(every.most);
    }
}
