//! Tasks in an SQL database. One file per family of statements; [`writer`] is the only
//! one that commits. The statements are written once; what the engines disagree on is
//! in [`engine`].
//!
//! Layout: a task's row is written once; where it is in its life shows in which narrow
//! table its number stands. Claiming deletes it from `ready` and writes one row for the
//! whole batch, finishing appends to `result`. `migrations/` has the tables with the
//! reasons, `docs/design.md` the measurements behind them.
//!
//! On a server transactions run at the same time, each reading what is committed when its
//! statement begins. What keeps them apart:
//!
//! - Who ends, gives back or returns tasks of a claim holds the claim's row until the
//!   commit, several in the order of their numbers. Whoever comes second finds it gone,
//!   or passes over it.
//! - Who wants to end a running task holds its claim's row, too, while writing that down,
//!   and looks again before: no request outlives its task.
//! - Claiming passes over rows that others are claiming.
//! - Canceling and retrying are decided by who deleted the row.
//! - Lanes are made one at a time, so that they become visible in the order of their numbers.

mod back;
mod change;
mod claim;
mod damage;
mod engine;
mod enqueue;
mod error;
mod finish;
mod json;
mod lanes;
mod list;
mod listed;
mod paused;
mod record;
mod rescue;
mod schedules;
mod schema;
mod script;
mod store;
mod taken;
mod transaction;
mod unique;
mod value;
mod watch;
mod workers;
mod writer;

use std::any::Any;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use task_core::{
    CancelRequest, Cancellation, Capabilities, NewTask, Result, TaskAdmin, TaskBackend, TaskId, TaskQueue,
    TaskRecord,
};

#[cfg(feature = "mysql")]
pub use engine::mysql::MysqlOptions;
#[cfg(feature = "postgres")]
pub use engine::postgres::PostgresOptions;
#[cfg(feature = "sqlite")]
pub use engine::sqlite::{SqliteOptions, Synchronous};
pub use schema::Migration;

pub(crate) use engine::Link;
use store::Store;

/// Tasks in an SQLite file: embedded, durable, shared by several processes of one machine.
///
/// One connection of each process writes, and callers that come at the same time share
/// its commits; reading goes on beside it.
#[cfg(feature = "sqlite")]
pub type SqliteBackend = SqlBackend<SqliteOptions>;

/// Tasks in a PostgreSQL database, shared by processes of many machines.
///
/// A process that works and enqueues has three connections that write and, unless
/// [`PostgresOptions::notify`] is off, one that listens; readers come and go.
#[cfg(feature = "postgres")]
pub type PostgresBackend = SqlBackend<PostgresOptions>;

/// Tasks in a MySQL or MariaDB database, shared by processes of many machines.
///
/// A process that works and enqueues has three connections that write; readers come and go.
/// A waiting worker looks for the tasks of other processes every few milliseconds, less
/// often while nothing comes.
#[cfg(feature = "mysql")]
pub type MysqlBackend = SqlBackend<MysqlOptions>;

/// Tasks in an SQL database; which one, its options say.
pub struct SqlBackend<O> {
    store: Store,
    /// Last: a temporary folder is removed when nobody works in it any more.
    options: O,
}

/// What says where a database is: [`SqliteOptions`], `PostgresOptions` or `MysqlOptions`.
pub trait SqlOptions: sealed::Sealed + Clone + fmt::Debug + Send + Sync + 'static {}

pub(crate) mod sealed {
    use std::sync::Arc;

    use super::engine::Engine;

    /// How the options of one engine become connections.
    pub trait Sealed {
        #[doc(hidden)]
        fn engine(&self) -> Opened;
    }

    /// An engine that is not named in public.
    pub struct Opened(pub(crate) Arc<dyn Engine>);

    impl std::fmt::Debug for Opened {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt(f)
        }
    }
}

impl<O: SqlOptions> SqlBackend<O> {
    /// Opens the store, makes it if the options allow it, and brings its schema up to date.
    ///
    /// # Errors
    /// - [`ErrorKind::Schema`](task_core::ErrorKind::Schema): it was migrated by a newer version, or is another
    ///   program's. Nothing was written.
    /// - [`ErrorKind::Corrupt`](task_core::ErrorKind::Corrupt), [`ErrorKind::Unavailable`](task_core::ErrorKind::Unavailable),
    ///   [`ErrorKind::Backend`](task_core::ErrorKind::Backend): what the database says.
    pub async fn open(options: O) -> Result<Self> {
        let store = Store::open(options.engine().0).await?;
        Ok(Self { store, options })
    }

    /// The steps that [`SqlBackend::open`] would take on this store, without taking
    /// them, and the version it has now. A store that is not there has version 0.
    ///
    /// # Errors
    /// As [`SqlBackend::open`].
    pub async fn pending_migrations(options: &O) -> Result<(i64, Vec<Migration>)> {
        store::pending_migrations(&*options.engine().0).await
    }

    /// Where these options lead, without any secret.
    pub(crate) fn place(options: &O) -> String {
        options.engine().0.place()
    }

    /// Stores tasks through a connection of the application's, inside whatever
    /// transaction is open on it: they commit or vanish with it. See
    /// [`EnqueueIn`](crate::EnqueueIn).
    ///
    /// # Errors
    /// What the database says. The transaction should then be rolled back.
    pub(crate) async fn enqueue_on(
        &self,
        link: &mut dyn Link,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<TaskRecord>> {
        self.store.enqueue_on(link, tasks).await
    }
}

#[cfg(feature = "sqlite")]
impl SqlBackend<SqliteOptions> {
    /// A store for one test: a new file in a folder of its own, which is removed when the
    /// backend is dropped. For a clock that the test moves, or a second backend on the same
    /// file, see [`SqliteOptions::temporary`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use task_backends::SqliteBackend;
    /// # use task_core::Backends;
    /// # async fn example() -> task_core::Result<()> {
    /// let backends = Backends::single(Arc::new(SqliteBackend::temporary().await?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`SqlBackend::open`]; [`ErrorKind::Unavailable`](task_core::ErrorKind::Unavailable) when the folder
    /// cannot be made.
    pub async fn temporary() -> Result<Self> {
        Self::open(SqliteOptions::temporary()?).await
    }

    /// The file.
    pub fn path(&self) -> &std::path::Path {
        &self.options.path
    }
}

impl<O: SqlOptions> fmt::Debug for SqlBackend<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlBackend({:?})", self.options)
    }
}

#[async_trait]
impl<O: SqlOptions> TaskBackend for SqlBackend<O> {
    fn kind(&self) -> &'static str {
        self.store.kind()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            priority: true,
            defer: true,
            async_task: true,
            get_result: true,
            durable: true,
        }
    }

    async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        self.store.enqueue(tasks).await
    }

    async fn find(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        self.store.find(id).await
    }

    async fn cancel(&self, id: TaskId, request: &CancelRequest) -> Result<Cancellation> {
        self.store.cancel(id, request).await
    }

    async fn changed(&self, timeout: Duration) {
        self.store.changed(timeout).await;
    }

    fn queue(&self) -> Option<&dyn TaskQueue> {
        Some(&self.store)
    }

    fn admin(&self) -> Option<&dyn TaskAdmin> {
        Some(&self.store)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
