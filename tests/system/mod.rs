//! What the tests with real processes share: a place of their own, processes that end with
//! the test, the ledger of what was executed, and waiting that fails with what was seen.
//!
//! Nothing here sleeps for a guess: whoever waits names what for, and until when.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test program uses its part of it"
)]

mod home;
mod ledger;
mod patience;
mod place;
mod process;
mod random;
mod server;
mod site;
mod sql;
mod wire;

pub use home::{Home, Kind};
pub use ledger::{Ledger, Reader};
pub use patience::{PATIENCE, eventually, scale, tell, within};
pub use place::{Ended, Place};
pub use process::{Process, Signal, spawn};
pub use random::Random;
pub use server::{Server, url_at};
pub use site::{Said, Site, said_by};
pub use sql::Sql;
pub use wire::Wire;

/// The worker that `worker!` writes, with the tasks of `conformance::executions`.
pub const WORKER: &str = env!("CARGO_BIN_EXE_system_worker");

/// A program that enqueues until it is killed.
pub const PRODUCER: &str = env!("CARGO_BIN_EXE_system_producer");

/// Makes a test of each of these functions, which take a [`Kind`], on every store that several processes
/// share.
macro_rules! on_every_store {
    ($($case:ident),+ $(,)?) => {
        $crate::system::on_stores! {
            sqlite Sqlite, postgres Postgres, mysql Mysql, redis Redis, redis_cluster RedisCluster:
            [$($case),+]
        }
    };
}

/// The same on these stores, each in a module of its name.
macro_rules! on_stores {
    ($($module:ident $kind:ident),+: $cases:tt) => {
        $($crate::system::on_store! { $module $kind $cases })+
    };
}

macro_rules! on_store {
    ($module:ident $kind:ident [$($case:ident),+]) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case($crate::system::Kind::$kind).await;
                }
            )+
        }
    };
}

pub(crate) use {on_every_store, on_store, on_stores};
