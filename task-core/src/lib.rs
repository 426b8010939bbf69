//! The vocabulary of the task framework: what a task is, how it is enqueued, what is
//! known of it afterwards, and the three traits a backend implements.
//!
//! ```no_run
//! use std::time::Duration;
//! use task_core::{priority, task};
//!
//! /// Say hello.
//! #[task(max_attempts = 3)]
//! async fn greet(name: String) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! # async fn example() -> task_core::Result<()> {
//! // After `task_backends::init().await?`, once in the program:
//! let mut result = greet::new("Ada").using(priority(50)).enqueue().await?;
//! let hello: String = result.wait(Duration::from_secs(10)).await?;
//!
//! // It is still an ordinary function.
//! assert_eq!(greet("Ada".to_owned()).await, hello);
//! # Ok(())
//! # }
//! ```
//!
//! - Define: [`task`], [`queues`], [`Task`], [`TaskEntry`], [`Registry`].
//! - Enqueue: [`TaskCall`], [`TaskOptions`], [`Backends`], [`Settings`].
//! - Look up: [`TaskResult`], [`TaskRecord`], [`TaskStatus`], [`TaskFailure`].
//! - Run: [`TaskContext`], [`execute()`], [`RetryPolicy`], [`signals`].
//! - Keep: [`TaskBackend`], [`TaskQueue`], [`TaskAdmin`], [`BackendKinds`], [`backend_kind!`].

// The macros name this crate by its full path, also inside of it.
#[allow(unused_extern_crates, reason = "used by what the macros expand to")]
extern crate self as task_core;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod arguments;
mod backend;
mod cancel;
mod clock;
mod context;
mod entry;
mod error;
mod execute;
mod failure;
mod id;
mod json;
pub mod metadata;
mod options;
mod panic;
mod payload;
mod queue_check;
mod record;
mod registry;
mod result;
mod retry;
mod schedule;
mod settings;
pub mod signals;
mod status;
mod suggest;
mod task;
pub mod trace;
mod unique;
mod verdict;

pub use backend::admin::{
    Count, Filter, Page, Pausable, Paused, PruneRule, TaskAdmin, TaskPage, WorkerRecord,
};
pub use backend::aliases::{BackendAlias, Backends, DEFAULT_ALIAS};
pub use backend::kinds::{BackendKind, BackendKinds, OpenBackend};
pub use backend::queue::{
    Claim, ClaimRequest, Claimed, Finish, GivenBack, Lease, Outcome, Progress, QueueSelection, Renewal,
    Rescued, TaskQueue, Wake, WorkerInfo, WorkerKey,
};
pub use backend::{CancelRequest, Cancellation, Capabilities, TaskBackend};
pub use cancel::{CancelReason, CancelToken};
pub use clock::Clock;
pub use context::TaskContext;
pub use entry::{CheckFunction, RunFunction, RunFuture, TaskEntry};
pub use error::{Error, ErrorKind, Result};
pub use execute::{CANCEL_GRACE, execute};
pub use failure::{FailureKind, TaskFailure};
pub use id::TaskId;
pub use jiff::Timestamp;
pub use json::MAX_JSON_DEPTH;
pub use options::{
    LATEST_US, MAX_QUEUE_BYTES, PRIORITY_RANGE, Queue, RunAfter, TaskOptions, backend, priority, queue,
    run_after,
};
pub use payload::Limits;
pub use record::{AttemptError, NewTask, TaskRecord};
pub use registry::Registry;
pub use result::TaskResult;
pub use retry::{Backoff, Growth, RetryPolicy};
pub use schedule::{MOST_MISSED, Missed, SKIPPED_AFTER, Schedule};
pub use settings::{BackendSettings, Settings};
pub use status::TaskStatus;
pub use suggest::one_of as suggest_one_of;
pub use task::{
    ENQUEUE_CHUNK, Task, TaskCall, TaskOutput, enqueue_many, enqueue_many_on, get_result, get_result_on,
};
pub use task_macros::{queues, task};
pub use unique::{Unique, UniqueBy, UniqueRule, UniqueUntil};
pub use verdict::{OrFatal, TaskError, TaskVerdict, Verdict};
