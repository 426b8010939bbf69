//! Enqueueing inside a transaction of the application's own: the task commits or
//! vanishes with the application's data.
//!
//! The only place where a type of a database driver stands in a public signature.

use std::any::Any;

use sqlx::SqliteConnection;
use task_core::{Backends, Error, ErrorKind, Result, Task, TaskCall, TaskResult};

use crate::SqliteBackend;

/// Adds `enqueue_in` to a call.
#[expect(
    async_fn_in_trait,
    reason = "implemented here only, for one type, and its futures are used on the spot"
)]
pub trait EnqueueIn<T: Task> {
    /// Stores the task through this connection, inside the transaction that is open on
    /// it. The connection must be to the database the backend's `url` names. The task
    /// runs after the commit; after a roll-back it never existed.
    ///
    /// A worker of another connection cannot write while a transaction holds SQLite's
    /// write lock, so keep it short, and do not enqueue in any other way inside it: that
    /// would wait for the transaction itself.
    ///
    /// # Errors
    /// As [`TaskCall::enqueue`]; [`ErrorKind::InvalidTask`] when the call's backend is no
    /// SQLite file.
    async fn enqueue_in(self, connection: &mut SqliteConnection) -> Result<TaskResult<T::Output>>;

    /// As [`EnqueueIn::enqueue_in`], with backends the program keeps itself.
    ///
    /// # Errors
    /// As [`EnqueueIn::enqueue_in`].
    async fn enqueue_in_on(
        self,
        connection: &mut SqliteConnection,
        backends: &Backends,
    ) -> Result<TaskResult<T::Output>>;
}

impl<T: Task> EnqueueIn<T> for TaskCall<T> {
    async fn enqueue_in(self, connection: &mut SqliteConnection) -> Result<TaskResult<T::Output>> {
        self.enqueue_in_on(connection, Backends::global()?).await
    }

    async fn enqueue_in_on(
        self,
        connection: &mut SqliteConnection,
        backends: &Backends,
    ) -> Result<TaskResult<T::Output>> {
        let alias = backends.get(self.backend_alias())?;
        let task = self.prepare(alias)?;
        let backend: &dyn Any = alias.backend().as_any();
        let backend = backend.downcast_ref::<SqliteBackend>().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidTask,
                format!(
                    "backend `{}` is {}, the transaction is of an SQLite file",
                    alias.name(),
                    alias.backend().kind()
                ),
            )
        })?;
        let record = backend.enqueue_on(connection, vec![task]).await?.pop();
        let record =
            record.ok_or_else(|| Error::new(ErrorKind::Backend, "one task was stored and none came back"))?;
        Ok(TaskResult::new(record, alias.clone()))
    }
}
