//! Enqueueing inside a transaction of the application's own: the task commits or
//! vanishes with the application's data.
//!
//! The only place where types of database drivers stand in a public signature.

use std::any::Any;

use task_core::{Backends, Error, ErrorKind, Result, Task, TaskCall, TaskResult};

use crate::sql::{Link, SqlBackend, SqlOptions};

/// Adds `enqueue_in` to a call.
#[expect(
    async_fn_in_trait,
    reason = "implemented here only, for one type, and its futures are used on the spot"
)]
pub trait EnqueueIn<T: Task> {
    /// Stores the task through this connection, inside the transaction that is open on
    /// it: a transaction or a connection of `sqlx`. It must be to the database the backend's
    /// `url` names. The task runs after the commit; after a roll-back it never existed.
    ///
    /// On SQLite a worker of another connection cannot write while a transaction holds the
    /// file's write lock, so keep it short, and do not enqueue in any other way inside it:
    /// that would wait for the transaction itself.
    ///
    /// # Errors
    /// As [`TaskCall::enqueue`]; [`ErrorKind::InvalidTask`] when the call's backend is of
    /// another kind than the connection.
    async fn enqueue_in<C: TaskConnection>(self, connection: &mut C) -> Result<TaskResult<T::Output>>;

    /// As [`EnqueueIn::enqueue_in`], with backends the program keeps itself.
    ///
    /// # Errors
    /// As [`EnqueueIn::enqueue_in`].
    async fn enqueue_in_on<C: TaskConnection>(
        self,
        connection: &mut C,
        backends: &Backends,
    ) -> Result<TaskResult<T::Output>>;
}

/// A connection or transaction of `sqlx` that tasks can be enqueued through.
pub trait TaskConnection: sealed::Connection {}

mod sealed {
    use super::{Link, SqlOptions};

    pub trait Connection: Send {
        type Options: SqlOptions;
        const DATABASE: &'static str;

        #[doc(hidden)]
        fn link(&mut self) -> Joined<'_>;
    }

    /// A connection behind a face that is not public.
    pub struct Joined<'c>(pub(super) &'c mut dyn Link);

    impl std::fmt::Debug for Joined<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Joined")
        }
    }
}

macro_rules! connections {
    ($feature:literal, $options:ty, $database:literal, $connection:ty, $driver:ty) => {
        #[cfg(feature = $feature)]
        impl sealed::Connection for $connection {
            type Options = $options;
            const DATABASE: &'static str = $database;

            fn link(&mut self) -> sealed::Joined<'_> {
                sealed::Joined(self)
            }
        }

        #[cfg(feature = $feature)]
        impl TaskConnection for $connection {}

        #[cfg(feature = $feature)]
        impl sealed::Connection for sqlx::Transaction<'_, $driver> {
            type Options = $options;
            const DATABASE: &'static str = $database;

            fn link(&mut self) -> sealed::Joined<'_> {
                sealed::Joined(&mut **self)
            }
        }

        #[cfg(feature = $feature)]
        impl TaskConnection for sqlx::Transaction<'_, $driver> {}
    };
}

connections!(
    "sqlite",
    crate::SqliteOptions,
    "an SQLite file",
    sqlx::SqliteConnection,
    sqlx::Sqlite
);
connections!(
    "postgres",
    crate::PostgresOptions,
    "PostgreSQL",
    sqlx::PgConnection,
    sqlx::Postgres
);

connections!(
    "mysql",
    crate::MysqlOptions,
    "MySQL or MariaDB",
    sqlx::MySqlConnection,
    sqlx::MySql
);

impl<T: Task> EnqueueIn<T> for TaskCall<T> {
    async fn enqueue_in<C: TaskConnection>(self, connection: &mut C) -> Result<TaskResult<T::Output>> {
        self.enqueue_in_on(connection, Backends::global()?).await
    }

    async fn enqueue_in_on<C: TaskConnection>(
        self,
        connection: &mut C,
        backends: &Backends,
    ) -> Result<TaskResult<T::Output>> {
        let alias = backends.get(self.backend_alias())?;
        let task = self.prepare(alias)?;
        let backend: &dyn Any = alias.backend().as_any();
        let backend = backend.downcast_ref::<SqlBackend<C::Options>>().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidTask,
                format!(
                    "backend `{}` is {}, the transaction is of {}",
                    alias.name(),
                    alias.backend().kind(),
                    C::DATABASE
                ),
            )
        })?;
        let id = task.id;
        let record = backend.enqueue_on(connection.link().0, vec![task]).await?.pop();
        let record =
            record.ok_or_else(|| Error::new(ErrorKind::Backend, "one task was stored and none came back"))?;
        Ok(TaskResult::new(record, alias.clone()).of_call(id))
    }
}
