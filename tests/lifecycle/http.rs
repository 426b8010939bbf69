//! `/live`, `/ready` and `/metrics` of a real worker process.

use std::time::Duration;

use conformance::executions::{always_fails, gated, record};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::probe::{HTTP, address, becomes, exchange, get, metric};
use crate::system::{PATIENCE, Place, Process, Signal, eventually};

fn worker(place: &Place, flags: &[&str]) -> Process {
    place.worker("probed", &[&HTTP, flags].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_has_joined_is_live_and_ready_and_one_that_stops_is_live_alone() {
    let place = Place::new().await;
    let mut worker = worker(&place, &[]);
    let at = address(&worker).await;
    let ready = becomes(at, "/ready", 200).await;
    assert_eq!(ready.body, "ready\n");
    assert_eq!(get(at, "/live").await.body, "live\n");

    place.enqueue([gated::new(1, "end")]).await;
    place.ledger().reaches(1).await;
    worker.send(Signal::TERM);
    let stopping = becomes(at, "/ready", 503).await;
    assert_eq!(stopping.body, "the worker stops\n");
    assert_eq!(get(at, "/live").await.code, 200);
    place.open_gate("end", None);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_the_worker_is_live_and_not_ready_and_ready_again_afterwards() {
    let place = Place::new().await;
    let mut worker = worker(&place, &["--lease", "2s"]);
    let at = address(&worker).await;
    becomes(at, "/ready", 200).await;
    let mut lock = place.sql().await;
    lock.run("BEGIN EXCLUSIVE").await;
    let away = becomes(at, "/ready", 503).await;
    assert!(
        ["the store last answered", "the lease ran out"]
            .iter()
            .any(|says| away.body.starts_with(says)),
        "{away:?}"
    );
    assert_eq!(get(at, "/live").await.code, 200);
    lock.run("COMMIT").await;
    lock.close().await;
    becomes(at, "/ready", 200).await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_became_of_tasks_by_name() {
    let place = Place::new().await;
    place.enqueue((0..30).map(record::new)).await;
    place.enqueue((0..3).map(|_| always_fails::new("because"))).await;
    place.enqueue([gated::new(1, "end")]).await;
    let mut worker = worker(&place, &[]);
    let at = address(&worker).await;
    place.ledger().reaches(34).await;
    let page = eventually("the numbers", async || {
        let page = get(at, "/metrics").await;
        let ended = metric(&page.body, "task_worker_tasks_total{outcome=\"succeeded\"}");
        let failed = metric(&page.body, "task_worker_tasks_total{outcome=\"failed\"}");
        // The last ones are counted before the store has answered.
        let told = metric(&page.body, "task_worker_finish_seconds_count") >= Some(1.0);
        if told && (ended, failed) == (Some(30.0), Some(3.0)) {
            Ok(page)
        } else {
            Err(page.body)
        }
    })
    .await;
    assert!(
        page.head.contains("content-type: application/openmetrics-text"),
        "{}",
        page.head
    );
    let value = |name: &str| metric(&page.body, name).unwrap_or_else(|| panic!("{name} in {}", page.body));
    for (name, expected) in [
        ("task_worker_slots", 100.0),
        ("task_worker_busy_slots", 1.0),
        ("task_worker_started_attempts_total", 34.0),
        ("task_worker_claimed_tasks_total", 34.0),
        ("task_worker_lost_leases_total", 0.0),
        ("task_worker_store_errors_total", 0.0),
        ("task_worker_state{state=\"running\"}", 1.0),
        (
            "task_attempts_total{task=\"conformance::record\",outcome=\"succeeded\"}",
            30.0,
        ),
        (
            "task_attempts_total{task=\"conformance::always_fails\",outcome=\"failed\"}",
            3.0,
        ),
        ("task_attempt_seconds_count{task=\"conformance::record\"}", 30.0),
    ] {
        assert_eq!(value(name), expected, "{name} in {}", page.body);
    }
    assert!(value("task_worker_claim_seconds_count") >= 1.0);
    assert!(value("task_worker_finish_seconds_count") >= 1.0);
    assert!(value("task_worker_lease_left_seconds") > 0.0);
    assert!(
        !page.body.contains("task=\"conformance::gated\""),
        "it has not ended"
    );
    place.open_gate("end", None);
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_what_is_no_reading_is_refused() {
    let place = Place::new().await;
    let worker = worker(&place, &[]);
    let at = address(&worker).await;
    let missing = get(at, "/").await;
    assert_eq!(missing.code, 404);
    assert!(missing.body.contains("/metrics"), "{missing:?}");
    let posted = exchange(at, "POST /live HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(posted.code, 405);
    assert!(posted.head.contains("allow: get, head"), "{posted:?}");
    assert_eq!(
        exchange(at, "HEAD /live HTTP/1.1\r\nHost: w\r\n\r\n").await.body,
        ""
    );
    assert_eq!(exchange(at, "nonsense\r\n\r\n").await.code, 400);
    let long = format!("GET /{} HTTP/1.1\r\nHost: w\r\n\r\n", "a".repeat(100_000));
    let mut stream = TcpStream::connect(at).await.expect("it listens");
    // It may close before it has read everything.
    let _ = stream.write_all(long.as_bytes()).await;
    assert_eq!(get(at, "/live").await.code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_nothing_are_sent_away_and_neither_probes_nor_tasks_wait_for_them() {
    let place = Place::new().await;
    let worker = worker(&place, &[]);
    let at = address(&worker).await;
    let mut silent = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(at).await.expect("it listens");
        if number % 2 == 0 {
            stream.write_all(b"GET /metrics HTT").await.expect("it reads");
        }
        silent.push(stream);
    }
    place.enqueue((0..100).map(record::new)).await;
    place.ledger().reaches(100).await;
    let asked = tokio::time::timeout(Duration::from_secs(30), get(at, "/live")).await;
    assert_eq!(asked.expect("it is answered").code, 200);
    for mut stream in silent {
        let mut rest = Vec::new();
        // Closed politely or not: it ends.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("it is sent away");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_blocks_every_thread_keeps_nobody_from_hearing_that_the_worker_hangs() {
    let place = Place::new().await;
    let worker = worker(&place, &[]);
    let at = address(&worker).await;
    becomes(at, "/ready", 200).await;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = u32::try_from(threads).expect("few");
    place
        .enqueue((0..4 * threads).map(|number| conformance::executions::blocks::new(number, "end")))
        .await;
    let hung = becomes(at, "/live", 503).await;
    assert!(
        hung.body.starts_with("the worker's loop has not moved for"),
        "{hung:?}"
    );
    place.open_gate("end", None);
    becomes(at, "/live", 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_or_makes_no_sense_keeps_the_worker_from_starting() {
    let place = Place::new().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    place
        .run(&["run", "--batch", "--http", &address])
        .await
        .exits_with(1)
        .complains(&["cannot listen on", &address, "hint: give --http an address"]);
    place
        .run_with(&[("TASK_HTTP", "9464")], &["run", "--batch"], "")
        .await
        .exits_with(2)
        .complains(&["such as 127.0.0.1:9464", "TASK_HTTP"]);
}
