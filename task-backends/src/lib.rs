//! Where tasks are kept.
//!
//! | backend | for | kept |
//! | --- | --- | --- |
//! | `dummy` | tests: collects tasks, never runs them | in memory |
//! | `immediate` | tests and development: runs each task inside `enqueue` | nowhere |
//! | `sqlite` | one machine: an embedded file, several processes | on disk |
//! | `postgres` | many machines: PostgreSQL 13 and newer (feature `postgres`) | in its own schema |
//! | `mysql` | many machines: MySQL 8.0, MariaDB 10.6 and newer (feature `mysql`) | in a database |
//! | `redis` | several machines: a Redis or Valkey server, or a cluster | as its server does |
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
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod migrations;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each engine needs another part of what they share")
)]
mod sql;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub mod transaction;

#[cfg(feature = "redis")]
pub use self::redis::{RedisBackend, RedisOptions};
#[cfg(feature = "mysql")]
pub use connect::mysql_options;
#[cfg(feature = "postgres")]
pub use connect::postgres_options;
#[cfg(feature = "redis")]
pub use connect::redis_options;
#[cfg(feature = "sqlite")]
pub use connect::sqlite_options;
pub use connect::{connect, connect_one, connect_with, init, init_with, kinds};
pub use dummy::{DummyBackend, Enqueued, EnqueuedCall};
pub use immediate::ImmediateBackend;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use migrations::{PendingMigrations, pending_migrations};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use sql::{Migration, SqlBackend, SqlOptions};
#[cfg(feature = "mysql")]
pub use sql::{MysqlBackend, MysqlOptions};
#[cfg(feature = "postgres")]
pub use sql::{PostgresBackend, PostgresOptions};
#[cfg(feature = "sqlite")]
pub use sql::{SqliteBackend, SqliteOptions, Synchronous};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use transaction::{EnqueueIn, TaskConnection};
