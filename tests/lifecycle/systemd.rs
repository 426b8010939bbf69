//! What systemd hears: ready, what the worker does, that it lives, that it stops.

use std::collections::VecDeque;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::time::{Duration, Instant};

use conformance::executions::{blocks, gated};
use tokio::net::UnixDatagram;

use crate::system::{PATIENCE, Place, Process, Signal, WORKER, spawn};

/// Where a worker tells systemd, and what it said that nobody listened to yet.
struct Ear(UnixDatagram, VecDeque<String>);

impl Ear {
    /// The next line.
    async fn hears(&mut self) -> String {
        loop {
            if let Some(line) = self.1.pop_front() {
                return line;
            }
            let mut bytes = [0; 4096];
            let heard = tokio::time::timeout(PATIENCE, self.0.recv(&mut bytes)).await;
            let length = heard.expect("it says something").expect("it can be read");
            let lines = std::str::from_utf8(&bytes[..length]).expect("text").lines();
            self.1.extend(lines.map(str::to_owned));
        }
    }

    /// Listens until it hears a line that begins so; says what it heard before.
    async fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut heard: Vec<String> = Vec::new();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            heard.push(self.hears().await);
            if heard.last().is_some_and(|line| line.starts_with(wanted)) {
                return heard;
            }
        }
        panic!("{wanted} is not among {heard:?}");
    }
}

/// A worker as systemd starts it, that has to say how it does so often.
fn started(place: &Place, watchdog: Option<Duration>) -> (Process, Ear) {
    let socket = place.folder().join("notify");
    let ear = StdDatagram::bind(&socket).expect("the folder can be written to");
    ear.set_nonblocking(true).expect("a socket");
    let mut command = place.command(WORKER);
    command
        .args(["run", "--worker-id", "unit"])
        .env("NOTIFY_SOCKET", &socket);
    command.env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
    if let Some(watchdog) = watchdog {
        command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
    }
    let worker = spawn(command, place.folder(), "unit");
    (
        worker,
        Ear(UnixDatagram::from_std(ear).expect("a runtime"), VecDeque::new()),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_ready_when_the_worker_has_joined_and_stopping_when_it_is_asked_to() {
    let place = Place::new().await;
    place.enqueue([gated::new(1, "end")]).await;
    let (mut worker, mut ear) = started(&place, None);
    let before = ear.until("READY=1").await;
    assert!(
        before.iter().all(|line| !line.starts_with("STOPPING")),
        "{before:?}"
    );
    place.workers_join(1).await;
    ear.until("STATUS=running: 1 of 100 slots run tasks").await;
    worker.send(Signal::TERM);
    let before = ear.until("STOPPING=1").await;
    assert!(before.iter().all(|line| line != "READY=1"), "once: {before:?}");
    ear.until("STATUS=stopping: 1 of 100 slots run tasks").await;
    place.open_gate("end", None);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_store_is_there_systemd_hears_that_the_worker_starts_and_lives() {
    let place = Place::new().await;
    let mut lock = place.sql().await;
    lock.run("BEGIN EXCLUSIVE").await;
    let (mut worker, mut ear) = started(&place, Some(Duration::from_secs(2)));
    let mut heard = ear.until("WATCHDOG=1").await;
    heard.extend(ear.until("WATCHDOG=1").await);
    assert!(
        heard.iter().any(|line| line.starts_with("STATUS=starting")),
        "{heard:?}"
    );
    assert!(!heard.contains(&"READY=1".to_owned()), "{heard:?}");
    lock.run("COMMIT").await;
    lock.close().await;
    ear.until("READY=1").await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_is_fed_while_the_loop_moves_and_not_when_it_hangs() {
    let place = Place::new().await;
    let (_worker, mut ear) = started(&place, Some(Duration::from_millis(400)));
    ear.until("READY=1").await;
    for _ in 0..10 {
        ear.until("WATCHDOG=1").await;
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = u32::try_from(threads).expect("few");
    place
        .enqueue((0..4 * threads).map(|number| blocks::new(number, "end")))
        .await;
    // Ten seconds after the loop stood still it is fed no more: five meals are left out.
    let mut last = Instant::now();
    let began = Instant::now();
    while last.elapsed() < Duration::from_secs(1) {
        assert!(began.elapsed() < PATIENCE, "it is fed although the loop hangs");
        if let Ok(line) = tokio::time::timeout(Duration::from_secs(1), ear.hears()).await
            && line == "WATCHDOG=1"
        {
            last = Instant::now();
        }
    }
    place.open_gate("end", None);
    ear.until("WATCHDOG=1").await;
}
