//! Where tasks are kept.
//!
//! | backend | for | kept |
//! | --- | --- | --- |
//! | `dummy` | tests: collects tasks, never runs them | in memory |
//! | `immediate` | tests and development: runs each task inside `enqueue` | nowhere |
//! | `sqlite` | one machine: an embedded file, several processes | on disk |
//!
//! An application calls [`init`] once; tests and programs with several stores build
//! [`Backends`](task_core::Backends) with [`connect`] or from the backends themselves.
//!
//! ```
//! use task_core::{Settings, task};
//!
//! #[task]
//! async fn double(number: i64) -> i64 {
//!     number * 2
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> task_core::Result<()> {
//! // Without a tasks.toml the backend `immediate` runs the task on the spot.
//! task_backends::init().await?;
//! let result = double::enqueue(21).await?;
//! assert_eq!(result.return_value()?, 42);
//! # Ok(())
//! # }
//! ```

mod connect;
mod dummy;
mod immediate;
#[cfg(feature = "sqlite")]
mod sql;
#[cfg(feature = "sqlite")]
pub mod transaction;

#[cfg(feature = "sqlite")]
pub use connect::sqlite_options;
pub use connect::{connect, connect_one, connect_with, init, init_with, kinds};
pub use dummy::{DummyBackend, Enqueued, EnqueuedCall};
pub use immediate::ImmediateBackend;
#[cfg(feature = "sqlite")]
pub use sql::{Migration, SqliteBackend, SqliteOptions, Synchronous};
#[cfg(feature = "sqlite")]
pub use transaction::EnqueueIn;
