//! A way that is cut in the middle of a transaction: the server waits for a commit that never comes.

use std::time::{Duration, Instant};

use conformance::executions::gated;

use crate::silence::behind;
use crate::system::{Home, Kind, Place, Server, Wire, on_stores};

async fn a_transaction_that_was_cut_off_before_its_commit_holds_nothing_for_long(kind: Kind) {
    // The server ends it after 15 s; then the tasks are there for others.
    const RELEASED_WITHIN: Duration = Duration::from_secs(25);
    let server = Server::start(kind).await;
    let place = Place::with(Home::at(kind, server.url()).await).await;
    let wire = Wire::to(server.port()).await;
    let cut_off = behind(&wire, &place, "cut-off");
    let ids = place
        .enqueue((0..10).map(|number| gated::new(number, "end")))
        .await;
    place.ledger().reaches(ids.len()).await;
    // Whether it is about to write ends down or to renew its lease: what it has locked stays locked.
    wire.silence_before_a_commit();
    place.open_gate("end", None);
    wire.is_silent().await;
    let began = Instant::now();
    let other = place.worker("other", &["--lease", "3s"]);
    place.all_end().await;
    let released = began.elapsed();
    println!("{}: everything ended {released:?} after the cut", kind.name());
    assert!(released < RELEASED_WITHIN, "{released:?}");
    let ledger = place.ledger().read();
    for id in &ids {
        assert_eq!(ledger.of(&id.to_string()), [cut_off.pid(), other.pid()]);
    }
    place.assert_clean().await;
}

on_stores! {
    postgres Postgres, mysql Mysql:
    [a_transaction_that_was_cut_off_before_its_commit_holds_nothing_for_long]
}
