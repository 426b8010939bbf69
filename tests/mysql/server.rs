//! What a server can do to those who use it: cut connections, let transactions meet.

use std::sync::Arc;
use std::time::Instant;

use conformance::played_worker::{PlayedWorker, succeeded};
use task_core::{Cancellation, TaskBackend as _, TaskStatus};

use super::{PATIENCE, Place, task};

/// Ends every connection to this database, as an administrator would.
async fn cut(place: &Place) {
    let mut outside = place.outside().await;
    let query = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
         WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    let ids: Vec<i64> = sqlx::query_scalar(query)
        .fetch_all(&mut outside.0)
        .await
        .expect("the query is right");
    for id in ids {
        let kill = sqlx::AssertSqlSafe(format!("KILL {id}"));
        // One that has ended by itself cannot be.
        let _ = sqlx::Executor::execute(&mut outside.0, kill).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_come_back_by_themselves() {
    let place = Place::new().await;
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
async fn a_cancellation_beside_the_end_leaves_no_request_behind() {
    let place = Place::new().await;
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
