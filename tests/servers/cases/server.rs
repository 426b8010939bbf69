//! What a server can do to those who use it: cut connections, let transactions meet.

use std::sync::Arc;
use std::time::Instant;

use conformance::played_worker::{PlayedWorker, succeeded};
use conformance::tasks::echo;
use sqlx::Connection as _;
use task_backends::EnqueueIn as _;
use task_core::{Backends, Cancellation, TaskBackend, TaskStatus, queue};

use crate::place::Place;
use crate::servers::{PATIENCE, task};

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_come_back_by_themselves() {
    let place = Place::new().await;
    let store = place.opened().await;
    for _ in 0..3 {
        let enqueued = task(&store).await;
        place.cut().await;
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
async fn a_cancellation_beside_the_end_leaves_no_request_behind() {
    let place = Place::new().await;
    let store: Arc<dyn TaskBackend> = Arc::new(place.opened().await);
    let other = Arc::new(place.opened().await);
    let worker = PlayedWorker::join(&store, "w", PATIENCE).await;
    let mut requested = 0;
    for _ in 0..60 {
        let id = task(&*other).await.id;
        let claimed = worker.claim_one().await;
        let canceling = tokio::spawn({
            let other = other.clone();
            async move { other.cancel(id, &task_core::CancelRequest::default()).await }
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

#[tokio::test]
async fn a_new_queue_in_a_long_transaction_holds_up_nobody_else() {
    let place = Place::new().await;
    let backends = Backends::single(Arc::new(place.opened().await));
    let mut outside = place.outside().await;
    let mut transaction = outside.0.begin().await.expect("a transaction");
    let call = || echo::new("x").using(queue("new"));
    call()
        .enqueue_in_on(&mut transaction, &backends)
        .await
        .expect("accepted");
    tokio::time::timeout(PATIENCE / 2, call().enqueue_on(&backends))
        .await
        .expect("does not wait for the transaction")
        .expect("accepted");
    transaction.rollback().await.expect("rolled back");
    backends.close().await;
}
