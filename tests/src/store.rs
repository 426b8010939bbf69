//! What a case is given: an empty store, and what it may do to it from outside.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use task_core::{Backends, Clock, TaskAdmin, TaskBackend, TaskQueue};

/// The longest that one case may take: far more than any needs, so what reaches it hangs.
const LONGEST_CASE: Duration = Duration::from_secs(120);

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Open = Box<dyn Fn() -> Boxed<Arc<dyn TaskBackend>> + Send + Sync>;
type Advance = Box<dyn Fn(Duration) -> Boxed<()> + Send + Sync>;

/// Makes stores for the cases of a backend.
pub trait Fixture {
    /// An empty store that no other case uses. Cases run at the same time.
    fn fresh() -> impl Future<Output = Store> + Send;
}

/// An empty store with the backend under test in front of it.
pub struct Store {
    backend: Arc<dyn TaskBackend>,
    open: Option<Open>,
    advance: Option<Advance>,
    guards: Vec<Box<dyn Any + Send + Sync>>,
}

impl Store {
    /// A store behind this backend.
    pub fn new(backend: impl TaskBackend + 'static) -> Self {
        Self {
            backend: Arc::new(backend),
            open: None,
            advance: None,
            guards: Vec::new(),
        }
    }

    /// A store that outlives its backend: `open` opens it, for the first time now and
    /// again when a case asks for it. It is then as if another process had done so.
    pub async fn opened_by<B, O>(open: impl Fn() -> O + Send + Sync + 'static) -> Self
    where
        B: TaskBackend + 'static,
        O: Future<Output = B> + Send + 'static,
    {
        let mut store = Self::new(open().await);
        store.open = Some(Box::new(move || {
            let opening = open();
            Box::pin(async move { Arc::new(opening.await) as Arc<dyn TaskBackend> })
        }));
        store
    }

    /// The store takes its time from this clock, and cases may move it. The clock must be
    /// manual, and common to everything that [`Store::opened_by`] opens.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        self.moved_by(move |by| {
            clock.advance(by);
            std::future::ready(())
        })
    }

    /// The store has a clock of its own: `advance` makes it seem that much later to it.
    #[must_use]
    pub fn moved_by<M>(mut self, advance: impl Fn(Duration) -> M + Send + Sync + 'static) -> Self
    where
        M: Future<Output = ()> + Send + 'static,
    {
        self.advance = Some(Box::new(move |by| Box::pin(advance(by))));
        self
    }

    /// Drops this when the case is over: a temporary folder, a connection that removes a schema.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Box::new(guard));
        self
    }

    /// The backend under test.
    pub fn backend(&self) -> &Arc<dyn TaskBackend> {
        &self.backend
    }

    /// The backend under test as `default`, accepting any queue.
    pub fn backends(&self) -> Backends {
        Backends::single(self.backend.clone())
    }

    /// The worker's face.
    ///
    /// # Panics
    /// When there is none: the case belongs to a face that was listed wrongly.
    pub fn queue(&self) -> &dyn TaskQueue {
        self.backend
            .queue()
            .expect("a backend listed with `worker` has a worker's face")
    }

    /// The operator's face.
    ///
    /// # Panics
    /// When there is none: the case belongs to a face that was listed wrongly.
    pub fn admin(&self) -> &dyn TaskAdmin {
        self.backend
            .admin()
            .expect("a backend listed with `operator` has an operator's face")
    }

    /// Makes it that much later for the store.
    ///
    /// # Panics
    /// When the fixture gave no way to do so.
    pub async fn advance(&self, by: Duration) {
        let advance = self
            .advance
            .as_ref()
            .expect("the fixture of a backend with a worker's face calls `with_clock` or `moved_by`");
        advance(by).await;
    }

    /// Opens the store once more, as another process would.
    ///
    /// # Panics
    /// When the fixture gave no way to do so.
    pub async fn open(&self) -> Arc<dyn TaskBackend> {
        let open = self
            .open
            .as_ref()
            .expect("the fixture of a durable backend calls `opened_by`");
        open().await
    }

    /// Closes the store and opens it again.
    ///
    /// # Panics
    /// As [`Store::open`].
    pub async fn reopen(&mut self) {
        self.backend.close().await;
        self.backend = self.open().await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({:?})", self.backend)
    }
}

/// Runs one case on a fresh store, on several threads.
///
/// # Panics
/// When the case does, or when it does not end.
pub fn run<F: Fixture, C: Future<Output = ()>>(case: impl FnOnce(Store) -> C) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the threads of a runtime can be started");
    runtime.block_on(async {
        let mut store = F::fresh().await;
        let guards = std::mem::take(&mut store.guards);
        let backend = store.backend.clone();
        tokio::time::timeout(LONGEST_CASE, case(store))
            .await
            .expect("the case ends: it waits for something that never comes");
        backend.close().await;
        drop(guards);
    });
}
