//! SIGUSR1: what runs goes on, nothing more is claimed, the process stays.

use conformance::executions::{gated, record};
use task_core::TaskStatus;

use crate::probe::{HTTP, address, becomes, get};
use crate::system::{PATIENCE, Place, Signal};

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_worker_finishes_what_runs_gives_the_rest_back_and_stays() {
    let place = Place::new().await;
    let quick = place.enqueue_records(1_000).await;
    let running = place
        .enqueue((0..2).map(|number| gated::new(number, "end")))
        .await;
    let waiting = place.enqueue_records(300).await;
    let flags = ["--lease", "10m", "--concurrency", "2"];
    let mut first = place.worker("first", &[&HTTP[..], &flags].concat());
    let at = address(&first).await;
    place.ledger().reaches(quick.len() + running.len()).await;
    place.runs_and_holds_more(quick.len(), running.len()).await;

    first.send(Signal::USR1);
    let quiet = becomes(at, "/ready", 503).await;
    assert_eq!(quiet.body, "the worker is quiet: it claims nothing more\n");
    let mut second = place.worker("second", &["--lease", "10m"]);
    place.ledger().reaches_by(second.pid(), waiting.len()).await;
    place.open_gate("end", None);
    for id in running {
        let record = place.becomes(id, TaskStatus::Successful).await;
        assert_eq!(
            (record.attempts, record.worker_ids),
            (1, vec!["first".to_owned()])
        );
    }
    // Alone with a task it leaves it, and it lives.
    second.send(Signal::TERM);
    assert_eq!(second.exits_within(PATIENCE).await, 0);
    let left = place.enqueue([record::new(7)]).await[0];
    place.workers_join(1).await;
    let ended = first.log().len();
    first.send(Signal::USR1);
    first.says_times("received SIGUSR1", 2).await;
    assert!(first.log().len() > ended && first.is_alive());
    assert_eq!(get(at, "/live").await.code, 200);
    assert_eq!(place.find(left).await.status, TaskStatus::Ready);

    first.send(Signal::TERM);
    assert_eq!(first.exits_within(PATIENCE).await, 0);
    assert_eq!(place.find(left).await.status, TaskStatus::Ready);
    place.workers_join(0).await;
    let mut third = place.worker("third", &["--batch"]);
    assert_eq!(third.exits_within(PATIENCE).await, 0);
    place.assert_exact(&[]).await;
    place.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_worker_ends_at_the_first_signal_to_stop_and_gives_back_at_the_second() {
    let place = Place::new().await;
    let id = place.enqueue([gated::new(0, "never")]).await[0];
    let mut worker = place.worker("quiet", &[]);
    place.ledger().reaches(1).await;
    worker.send(Signal::USR1);
    worker.says("received SIGUSR1").await;
    worker.send(Signal::TERM);
    worker.says("received SIGTERM").await;
    assert!(worker.is_alive(), "it waits for what runs");
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 1);
    assert_eq!(place.find(id).await.status, TaskStatus::Ready);
    place.open_gate("never", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_batch_ends_by_itself_and_leaves_what_it_has_not_started() {
    let place = Place::new().await;
    let first = place.enqueue([gated::new(0, "end")]).await[0];
    let mut worker = place.worker("batch", &["--batch", "--concurrency", "1", "--prefetch", "0"]);
    place.ledger().reaches(1).await;
    worker.send(Signal::USR1);
    worker.says("received SIGUSR1").await;
    let left = place.enqueue_records(1).await[0];
    place.open_gate("end", None);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    assert_eq!(place.find(first).await.status, TaskStatus::Successful);
    assert_eq!(place.find(left).await.status, TaskStatus::Ready);
}
