//! The store is stopped and started again while tasks come and go.

use std::time::Duration;

use conformance::executions::now;

use crate::run::Run;
use crate::system::{Home, Kind, Server, on_stores};

/// In which the full rate is there again once the store is.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

/// For how long the store is away.
const AWAY: Duration = Duration::from_secs(2);

async fn a_store_that_is_restarted_or_killed_is_used_again_within_seconds_and_nothing_is_lost(kind: Kind) {
    let mut server = Server::start(kind).await;
    let run = Run::begin(Home::at(kind, server.url()).await).await;
    for how in ["stopped", "killed"] {
        if how == "stopped" {
            server.stop();
        } else {
            server.kill();
        }
        // How long an administrator takes, not a wait for an event.
        tokio::time::sleep(AWAY).await;
        server.start_again().await;
        let recovered = run.recovers(now()).await;
        println!("{}: {how}, full rate {recovered:?} after it answers", kind.name());
        assert!(recovered < RECOVERED_WITHIN, "{recovered:?}");
    }
    run.ends_exact().await;
}

on_stores! {
    postgres Postgres, mysql Mysql, redis Redis:
    [a_store_that_is_restarted_or_killed_is_used_again_within_seconds_and_nothing_is_lost]
}

/// The lock of a file that another program holds for longer than SQLite waits for it.
mod sqlite {
    use super::*;

    const LOCKED: Duration = Duration::from_secs(8);

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_that_another_program_locks_is_used_again_within_seconds_and_nothing_is_lost() {
        let run = Run::begin(Home::new(Kind::Sqlite).await).await;
        let mut lock = run.place.sql().await;
        lock.run("BEGIN EXCLUSIVE").await;
        // How long the other program takes, not a wait for an event.
        tokio::time::sleep(LOCKED).await;
        lock.run("COMMIT").await;
        lock.close().await;
        let recovered = run.recovers(now()).await;
        println!("sqlite: locked for {LOCKED:?}, full rate {recovered:?} after it");
        assert!(recovered < RECOVERED_WITHIN, "{recovered:?}");
        run.ends_exact().await;
    }
}
