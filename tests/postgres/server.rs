//! What a server can do to those who use it: cut connections, let transactions meet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::played_worker::{PlayedWorker, succeeded};
use task_core::{Cancellation, TaskBackend as _, TaskStatus, Wake};

use super::{PATIENCE, Place, new_task as conformance_task, task};

/// Ends every connection to this schema's backend, as an administrator would.
async fn cut(place: &Place) {
    let mut outside = place.outside().await;
    // Who has no statement on the schema's tables any more waits for the next one.
    outside
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND (query LIKE '%' || current_schema() || '%' \
                 OR pid IN (SELECT pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                     WHERE c.relnamespace = current_schema()::regnamespace))",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_come_back_by_themselves() {
    let place = Place::new();
    let store = place.opened().await;
    for _ in 0..3 {
        let enqueued = task(&store).await;
        cut(&place).await;
        let began = Instant::now();
        let found = loop {
            match store.find(enqueued.id).await {
                Ok(found) => break found,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            assert!(began.elapsed() < PATIENCE, "it does not come back");
        };
        assert_eq!(found, Some(enqueued));
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_was_cut_hears_again() {
    let place = Place::new();
    let store: Arc<dyn task_core::TaskBackend> = Arc::new(place.opened().await);
    let other = place.opened().await;
    let worker = PlayedWorker::join(&store, "w", PATIENCE).await;
    for _ in 0..3 {
        cut(&place).await;
        // Until it listens again: that wakes once more.
        let mut seen = worker.queue().wait(Wake::default(), Duration::ZERO).await;
        let id = loop {
            match other.enqueue(vec![conformance_task()]).await {
                Ok(records) => break records[0].id,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        };
        let began = Instant::now();
        loop {
            seen = worker.queue().wait(seen, PATIENCE).await;
            assert!(began.elapsed() < PATIENCE / 2, "it hears nothing");
            if let [claimed] = &worker.claim(10).await[..] {
                assert_eq!(claimed.record.id, id);
                break;
            }
        }
    }
    store.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_beside_the_end_leaves_no_request_behind() {
    let place = Place::new();
    let store: Arc<dyn task_core::TaskBackend> = Arc::new(place.opened().await);
    let other = Arc::new(place.opened().await);
    let worker = PlayedWorker::join(&store, "w", PATIENCE).await;
    let mut requested = 0;
    for _ in 0..60 {
        let id = task(&other).await.id;
        let claimed = worker.claim_one().await;
        let canceling = tokio::spawn({
            let other = other.clone();
            async move { other.cancel(id).await }
        });
        worker.finish(vec![succeeded(claimed, "1")]).await;
        let answer = canceling.await.expect("no panic").expect("an answer");
        requested += usize::from(answer == Cancellation::Requested);
        let found = store
            .find(id)
            .await
            .expect("it can be read")
            .expect("it is there");
        assert_eq!(found.status, TaskStatus::Successful);
    }
    let mut outside = place.outside().await;
    let left = outside.number("SELECT count(*) FROM cancellation").await;
    assert_eq!(left, 0, "{requested} requests came before the end");
    store.close().await;
    other.close().await;
}
