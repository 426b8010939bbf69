//! Connections are ended by the server while tasks come and go.

use std::time::Duration;

use conformance::executions::now;

use crate::run::Run;
use crate::system::{Home, Kind, Server, on_stores};

/// Twice a second, all of them.
const EVERY: Duration = Duration::from_millis(500);
const TIMES: usize = 12;

async fn connections_that_are_cut_twice_a_second_cost_little_and_nothing_is_lost(kind: Kind) {
    let server = Server::start(kind).await;
    let run = Run::begin(Home::at(kind, server.url()).await).await;
    let mut pace = tokio::time::interval(EVERY);
    let (began, mut cut) = (now(), 0);
    for _ in 0..TIMES {
        pace.tick().await;
        cut += run.place.home().cut().await;
    }
    let share = run.share_since(began);
    println!(
        "{}: {cut} connections cut, {:.0} % of the rate meanwhile",
        kind.name(),
        100.0 * share
    );
    assert!(cut > TIMES, "there was something to cut: {cut}");
    assert!(share > 0.5, "{share}");
    let recovered = run.recovers(now()).await;
    println!("full rate {recovered:?} afterwards");
    assert!(recovered < Duration::from_secs(5), "{recovered:?}");
    run.ends_exact().await;
}

on_stores! {
    postgres Postgres, mysql Mysql, redis Redis:
    [connections_that_are_cut_twice_a_second_cost_little_and_nothing_is_lost]
}
