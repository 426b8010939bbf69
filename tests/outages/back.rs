//! Tasks that a worker wants to give back while its store is away.

use conformance::executions::gated;
use task_core::TaskStatus;

use crate::system::{Home, Kind, PATIENCE, Place, Server, Signal, on_stores};

async fn what_goes_back_while_the_store_is_away_goes_back_when_it_is_there_again(kind: Kind) {
    let mut server = Server::start(kind).await;
    let place = Place::with(Home::at(kind, server.url()).await).await;
    // Quick ones make the worker take more than it can run, slow ones keep it from running them.
    let quick = place.enqueue_records(1_000).await;
    let running = place
        .enqueue((0..2).map(|number| gated::new(number, "end")))
        .await;
    let waiting = place.enqueue_records(300).await;
    // With such a lease nobody else takes anything from it.
    let mut worker = place.worker("worker", &["--lease", "10m", "--concurrency", "2"]);
    place.ledger().reaches(quick.len() + running.len()).await;
    server.kill();
    worker.says("cannot give tasks back, trying again").await;
    server.start_again().await;

    let mut other = place.worker("other", &["--lease", "10m"]);
    place.ledger().reaches_by(other.pid(), 1).await;
    place.open_gate("end", None);
    place.all_end().await;
    for id in &waiting {
        let record = place.find(*id).await;
        assert_eq!(
            (record.status, record.attempts),
            (TaskStatus::Successful, 1),
            "{record:?}"
        );
    }
    place.assert_exact(&[]).await;
    place.assert_clean().await;
    for process in [&mut worker, &mut other] {
        process.send(Signal::TERM);
        assert_eq!(process.exits_within(PATIENCE).await, 0);
    }
}

on_stores! {
    postgres Postgres, mysql Mysql, redis Redis:
    [what_goes_back_while_the_store_is_away_goes_back_when_it_is_there_again]
}
