//! The way to the store is cut without anybody being told: packets are dropped, connections stay open.

use std::time::{Duration, Instant};

use conformance::executions::gated;
use task_core::{FailureKind, TaskStatus};

use crate::system::{Home, Kind, Place, Process, Server, Wire, on_stores, url_at};

/// For so long nothing gets through: several times the lease.
const LEASE: Duration = Duration::from_secs(3);

/// In which a worker finds a way again after it is open: it waits this long at most for an answer that
/// does not come, and for a connection that is not made.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);

/// A worker that reaches its store by this way.
pub fn behind(wire: &Wire, place: &Place, name: &str) -> Process {
    let url = place.home().url_through(&url_at(place.home().kind, wire.port()));
    let mut command = place.command(crate::system::WORKER);
    command.env("TASKS_DEFAULT_URL", url);
    command.args(["run", "--worker-id", name, "--lease", "3s", "--concurrency", "10"]);
    crate::system::spawn(command, place.folder(), name)
}

async fn a_worker_that_is_cut_off_starts_nothing_more_is_refused_and_comes_back(kind: Kind) {
    let server = Server::start(kind).await;
    let place = Place::with(Home::at(kind, server.url()).await).await;
    let wire = Wire::to(server.port()).await;
    let mut cut_off = behind(&wire, &place, "cut-off");
    let running = place
        .enqueue((0..10).map(|number| gated::new(number, "end")))
        .await;
    place.ledger().reaches(running.len()).await;

    wire.silence();
    let began = Instant::now();
    let other = place.worker("other", &["--lease", "3s"]);
    other.says("took over from lost workers").await;
    let taken = began.elapsed();
    cut_off.says("nothing more is started until it does").await;
    let noticed = began.elapsed();
    println!(
        "{}: taken over after {taken:?}, noticed after {noticed:?}",
        kind.name()
    );
    assert!(noticed < 2 * LEASE, "{noticed:?}");
    place.ledger().reaches(2 * running.len()).await;
    place.open_gate("end", Some(other.pid()));
    for id in &running {
        place.becomes(*id, TaskStatus::Successful).await;
    }

    // The cut-off one ends them, too, and cannot say so before it has found a way.
    place.open_gate("end", Some(cut_off.pid()));
    wire.heal();
    let began = Instant::now();
    cut_off.says("joined again").await;
    let recovered = began.elapsed();
    println!("back {recovered:?} after the way was open");
    assert!(recovered < RECOVERED_WITHIN, "{recovered:?}");
    for id in &running {
        let record = place.find(*id).await;
        assert_eq!(record.return_value, Some(other.pid().to_string()), "{record:?}");
        let kinds: Vec<FailureKind> = record.errors.iter().map(|error| error.failure.kind).collect();
        assert_eq!(kinds, [FailureKind::WorkerLost]);
    }
    // It works on.
    drop(other);
    let next = place.enqueue_records(20).await;
    for id in next {
        let record = place.becomes(id, TaskStatus::Successful).await;
        assert_eq!(record.return_value, Some(cut_off.pid().to_string()));
    }
    place.assert_clean().await;
    assert!(cut_off.is_alive());
}

on_stores! {
    postgres Postgres, mysql Mysql, redis Redis:
    [a_worker_that_is_cut_off_starts_nothing_more_is_refused_and_comes_back]
}
