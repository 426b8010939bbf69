//! A worker that starts while its store is not there: it waits, lives, and ends when it is told.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::probe::{HTTP, address, becomes, get};
use crate::system::{PATIENCE, Place, Process, Signal, Site};

/// What "at once" means on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_during_an_outage_waits_and_joins() {
    let place = Place::new().await;
    let ids = place.enqueue_records(20).await;
    let mut lock = place.sql().await;
    lock.run("BEGIN EXCLUSIVE").await;
    let mut worker = place.worker("early", &HTTP);
    let at = address(&worker).await;
    worker.says("the store cannot be reached yet").await;
    assert_eq!(get(at, "/live").await.code, 200);
    let waiting = get(at, "/ready").await;
    assert_eq!(
        (waiting.code, waiting.body.as_str()),
        (503, "the worker has not joined the store yet\n")
    );
    lock.run("COMMIT").await;
    lock.close().await;
    becomes(at, "/ready", 200).await;
    place.ledger().reaches(ids.len()).await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    place.assert_exact(&[]).await;
}

/// A worker on this store, which is not there.
fn on(url: &str, backend: &str, flags: &[&str]) -> (Site, Process) {
    let site = Site::with_settings(&format!(
        "[default]\nbackend = \"{backend}\"\nurl = \"{url}\"\nqueues = []\n"
    ));
    let worker = site.worker("waits", flags);
    (site, worker)
}

/// The three servers, each at this address.
fn servers(address: &str) -> [(String, &'static str); 3] {
    [
        (format!("postgres://u:p@{address}/d"), "postgres"),
        (format!("mysql://u:p@{address}/d"), "mysql"),
        (format!("redis://{address}/"), "redis"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waits_for_a_server_ends_at_the_first_signal() {
    // A port of nobody's: it is held and not listened on.
    let held = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = held.local_addr().expect("bound").to_string();
    for (url, backend) in servers(&address) {
        for signal in [Signal::TERM, Signal::INT] {
            let (_site, mut worker) = on(&url, backend, &[]);
            worker.says_times("the store cannot be reached yet", 2).await;
            let began = Instant::now();
            worker.send(signal);
            assert_eq!(worker.exits_within(AT_ONCE).await, 0, "{backend} {signal:?}");
            assert!(began.elapsed() < AT_ONCE);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_connections_and_says_nothing_hangs_no_worker() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at_server = silent.local_addr().expect("bound").to_string();
    for (url, backend) in servers(&at_server) {
        let (_site, mut worker) = on(&url, backend, &HTTP);
        let at = address(&worker).await;
        let (stream, _) = silent.accept().await.expect("it connects");
        assert_eq!(get(at, "/live").await.code, 200, "{backend}");
        worker.send(Signal::TERM);
        assert_eq!(worker.exits_within(AT_ONCE).await, 0, "{backend}");
        drop(stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_start_timeout_or_a_batch_the_outage_is_exit_code_1() {
    let held = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = held.local_addr().expect("bound").to_string();
    for (url, backend) in servers(&address) {
        for (flags, least) in [
            (&["--batch"][..], 0),
            (&["--start-timeout", "0s"], 0),
            (&["--start-timeout", "1s"], 2),
        ] {
            let (_site, mut worker) = on(&url, backend, flags);
            assert_eq!(worker.exits_within(PATIENCE).await, 1, "{backend} {flags:?}");
            let log = worker.log();
            assert!(log.contains("error: store unavailable"), "{log}");
            let tries = log.matches("cannot be reached yet").count();
            assert!(tries >= least && (least > 0 || tries == 0), "{flags:?}: {log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_heal_by_itself_is_not_waited_for() {
    let place = Place::new().await;
    std::fs::rename(place.store(), place.folder().join("elsewhere")).expect("a folder can be renamed");
    let said = place.run(&["run"]).await.exits_with(1);
    assert!(!said.err.contains("cannot be reached yet"), "{said:?}");
}
