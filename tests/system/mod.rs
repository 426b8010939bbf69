//! What the tests with real processes share: a place of their own, processes that end with
//! the test, the ledger of what was executed, and waiting that fails with what was seen.
//!
//! Nothing here sleeps for a guess: whoever waits names what for, and until when.

#![allow(dead_code, unused_imports, reason = "each test program uses its part of it")]

mod ledger;
mod patience;
mod place;
mod process;
mod random;
mod site;
mod sql;

pub use ledger::{Ledger, Reader};
pub use patience::{PATIENCE, eventually, within};
pub use place::{Ended, Place};
pub use process::{Process, Signal, spawn};
pub use random::Random;
pub use site::{Said, Site, said_by};
pub use sql::Sql;

/// The worker that `worker!` writes, with the tasks of `conformance::executions`.
pub const WORKER: &str = env!("CARGO_BIN_EXE_system_worker");

/// A program that enqueues until it is killed.
pub const PRODUCER: &str = env!("CARGO_BIN_EXE_system_producer");
