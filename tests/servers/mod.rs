//! A place of a test's own in each store, with one face, so that one set of cases serves all.
//!
//! A test program says `mod servers; use servers::postgres as place;` and takes what it needs of `cases/`.

#![allow(dead_code, unused_imports, reason = "each test program uses its part of it")]

pub mod mysql;
pub mod postgres;
pub mod redis;
pub mod sqlite;
mod view;

use std::sync::Arc;
use std::time::Duration;

use conformance::tasks::echo;
use task_backends::DummyBackend;
use task_core::{BackendAlias, Clock, Limits, NewTask, TaskBackend, TaskRecord, Timestamp};

pub use view::Seen;

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where the server is that this variable names.
pub fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} names no server; `cargo xtask test` starts one and names it"))
}

/// A name that no other test uses.
fn name_of_ones_own() -> String {
    format!("test_{}", uuid::Uuid::now_v7().simple())
}

/// A clock that tests move, with a fraction of a second that a view cuts.
fn manual_clock() -> Clock {
    Clock::manual(Timestamp::from_microsecond(2_000_000_000_123_400).expect("in range"))
}

/// Does this to its end in a thread of its own: for what is dropped inside a runtime.
fn to_its_end(cleaning: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(cleaning);
    });
    // What is left over is in nobody's way: names are not used twice.
    let _ = thread.join();
}

/// A task like any other.
pub fn new_task() -> NewTask {
    let alias = BackendAlias::new("a", Arc::new(DummyBackend::new()), [], Limits::DEFAULT);
    echo::new("x").prepare(&alias).expect("a task like any other")
}

/// Enqueues one task.
pub async fn task(store: &dyn TaskBackend) -> TaskRecord {
    store.enqueue(vec![new_task()]).await.expect("accepted").remove(0)
}
