//! The connection that listens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::played_worker::PlayedWorker;
use task_core::{TaskBackend, Wake};

use super::{PATIENCE, Place, new_task};

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_was_cut_hears_again() {
    let place = Place::new().await;
    let store: Arc<dyn TaskBackend> = Arc::new(place.opened().await);
    let other = place.opened().await;
    let worker = PlayedWorker::join(&store, "w", PATIENCE).await;
    for _ in 0..3 {
        place.cut().await;
        // Until it listens again: that wakes once more.
        let mut seen = worker.queue().wait(Wake::default(), Duration::ZERO).await;
        let id = loop {
            match other.enqueue(vec![new_task()]).await {
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
