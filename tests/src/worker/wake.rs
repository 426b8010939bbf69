//! Waiting for something to claim.

use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{TaskBackend, Wake};

use crate::Store;
use crate::played_worker::{interrupted, unstarted};
use crate::scene::{PATIENCE, SOON, many, new_task, stopped};

/// What a worker has seen that looked just now.
async fn just_looked(store: &Store) -> Wake {
    store.queue().wait(Wake::default(), Duration::ZERO).await
}

/// Waits on a thread of its own, and says how long that took.
fn start_waiting(backend: &Arc<dyn TaskBackend>, since: Wake) -> tokio::task::JoinHandle<Duration> {
    let backend = backend.clone();
    tokio::spawn(async move {
        let began = Instant::now();
        let queue = backend.queue().expect("the worker's face");
        queue.wait(since, PATIENCE).await;
        began.elapsed()
    })
}

/// Returns when there may be something to claim that was not there at `since`.
pub async fn it_returns_when_something_was_enqueued_meanwhile(store: Store) {
    let worker = store.worker("w").await;
    for _ in 0..5 {
        let waiting = start_waiting(store.backend(), just_looked(&store).await);
        tokio::task::yield_now().await;
        store.enqueue(new_task()).await;
        let waited = waiting.await.expect("waiting does not panic");
        assert!(waited < SOON, "nobody woke it in {waited:?}");
        worker.claim_one().await;
    }
}

/// Pass the answer to the next call, and claim in between: nothing that comes meanwhile
/// is missed.
pub async fn what_comes_between_two_waits_is_not_missed(store: Store) {
    let worker = store.worker("w").await;
    let mut seen = just_looked(&store).await;
    for _ in 0..20 {
        assert_eq!(worker.claim(10).await.len(), 0);
        // Between the claim that found nothing and the wait.
        store.enqueue(new_task()).await;
        let began = Instant::now();
        seen = store.queue().wait(seen, PATIENCE).await;
        assert!(began.elapsed() < SOON, "it was missed");
        worker.claim_one().await;
    }
}

/// Returns when there may be something to claim that was not there at `since`, or
/// after `timeout`.
pub async fn it_returns_after_the_timeout_when_nothing_comes(store: Store) {
    let mut seen = just_looked(&store).await;
    for _ in 0..3 {
        let waited = store.queue().wait(seen, Duration::from_millis(5));
        let answer = tokio::time::timeout(SOON, waited).await;
        seen = answer.expect("the timeout ends it");
    }
}

/// How far a waiter has seen the store change; the default has seen nothing.
pub async fn a_waiter_that_has_seen_nothing_does_not_wait_for_what_is_there(store: Store) {
    store.enqueue(new_task()).await;
    let began = Instant::now();
    store.queue().wait(Wake::default(), PATIENCE).await;
    assert!(began.elapsed() < SOON);
}

/// A task that comes back, given back or rescued, is something to claim like a new one.
pub async fn a_task_that_comes_back_ends_the_wait(store: Store) {
    let worker = store.worker("w").await;
    store.enqueue_all(many(3)).await;
    let mut claimed = worker.claim(3).await;

    let seen = just_looked(&store).await;
    worker
        .give_back(vec![unstarted(claimed.pop().expect("three"))])
        .await;
    let began = Instant::now();
    let seen = store.queue().wait(seen, PATIENCE).await;
    assert!(began.elapsed() < SOON, "given back unstarted");

    let back = interrupted(claimed.pop().expect("three"), stopped());
    worker.give_back(vec![back]).await;
    let began = Instant::now();
    let seen = store.queue().wait(seen, PATIENCE).await;
    assert!(began.elapsed() < SOON, "given back in the middle");

    store.outlive_leases().await;
    assert_eq!(store.rescue().await.returned, 1);
    let began = Instant::now();
    store.queue().wait(seen, PATIENCE).await;
    assert!(began.elapsed() < SOON, "rescued");
}

/// One task wakes everybody who waits: which of them may take it, only claiming shows.
pub async fn everybody_who_waits_is_woken(store: Store) {
    let seen = just_looked(&store).await;
    let waiting: Vec<_> = (0..5).map(|_| start_waiting(store.backend(), seen)).collect();
    tokio::task::yield_now().await;
    store.enqueue(new_task()).await;
    for one in waiting {
        let waited = one.await.expect("waiting does not panic");
        assert!(waited < SOON, "nobody woke it in {waited:?}");
    }
}
