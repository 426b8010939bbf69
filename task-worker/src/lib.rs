//! What runs tasks.
//!
//! A worker joins a backend, claims tasks in batches, runs them, and writes down how they
//! ended; it renews its lease while it lives and takes over from workers that died.
//! Usually it runs in a binary of its own, which [`worker!`] writes:
//!
//! ```text
//! // src/bin/worker.rs
//! task_worker::worker! { tasks = [app] }
//! ```
//!
//! The same worker can run inside a program:
//!
//! ```no_run
//! use task_core::{Backends, Registry};
//! use task_worker::{Shutdown, Worker, WorkerOptions};
//!
//! # async fn example() -> task_core::Result<()> {
//! let alias = Backends::global()?.get("default")?.clone();
//! let worker = Worker::new(alias, Registry::collected()?, WorkerOptions::default())?;
//! let summary = worker.run(Shutdown::on_signals()?).await?;
//! println!("{} tasks succeeded", summary.succeeded);
//! # Ok(())
//! # }
//! ```
//!
//! A test runs what waits in its own process with [`drain()`].
//!
//! Its parts, each in the file of its name: the `fetcher` is the one loop that decides,
//! the `executor` runs one task, the `heartbeat` keeps the lease, the `rescuer` looks
//! after others, the `scheduler` enqueues what has a schedule, `shutdown` ends it all, `status` shows it to others while it works.

mod backlog;
mod drain;
mod errand;
mod executor;
mod fetcher;
mod heartbeat;
mod helpers;
mod histogram;
mod limits;
mod meter;
mod pace;
mod plan;
mod pruner;
mod rescuer;
mod scheduler;
mod settled;
mod shutdown;
mod slots;
mod start;
mod status;
mod store_time;
mod taking;
mod trust;
mod worker;

pub use drain::{Drain, Drained, drain};
pub use histogram::Histogram;
pub use limits::{ConcurrencyLimits, QueueOrder};
pub use meter::WorkerState;
pub use shutdown::Shutdown;
pub use start::until_reached;
pub use status::{LIVE_WITHIN, TaskTotals, WorkerSnapshot, WorkerStatus};
pub use task_core::__private::worker;
pub use worker::{Summary, Worker, WorkerOptions, host_name};
