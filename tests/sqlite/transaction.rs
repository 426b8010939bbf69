//! Enqueueing inside a transaction of the application's own.

use std::sync::Arc;
use std::time::Duration;

use conformance::Heard;
use conformance::played_worker::PlayedWorker;
use conformance::tasks::echo;
use sqlx::Connection as _;
use task_backends::{DummyBackend, EnqueueIn as _};
use task_core::signals::TASK_ENQUEUED;
use task_core::{Backends, ErrorKind, TaskBackend, TaskId, TaskStatus, Wake, queue};

use super::{PATIENCE, number, opened, outside, place, run};

#[tokio::test]
async fn a_task_in_a_transaction_commits_with_the_applications_own_data() {
    let (_folder, path) = place();
    let backends = Backends::single(Arc::new(opened(&path).await));
    let backend = backends.get("default").expect("the only one").backend();
    let mut connection = outside(&path).await;
    run(&mut connection, "CREATE TABLE purchase (item TEXT)").await;
    for commits in [false, true] {
        let mut transaction = connection.begin().await.expect("a transaction");
        run(&mut transaction, "INSERT INTO purchase VALUES ('tea')").await;
        let call = echo::new("tea").using(queue("new in this transaction"));
        let result = call
            .enqueue_in_on(&mut transaction, &backends)
            .await
            .expect("accepted");
        assert_eq!(result.status(), TaskStatus::Ready);
        let early = backend.find(result.id()).await.expect("it can be read");
        assert_eq!(early, None, "nobody sees it before the commit");
        if commits {
            transaction.commit().await.expect("committed");
        } else {
            transaction.rollback().await.expect("rolled back");
        }
        let found = backend.find(result.id()).await.expect("it can be read");
        assert_eq!(found, commits.then(|| result.record().clone()));
        let bought = number(&mut connection, "SELECT count(*) FROM purchase").await;
        assert_eq!(bought, i64::from(commits));
    }
    // After the roll-back the same queue and name work in the usual way, too.
    let call = echo::new("x").using(queue("new in this transaction"));
    call.enqueue_on(&backends).await.expect("accepted");
    backends.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_in_a_transaction_wakes_a_worker_once_it_is_committed() {
    let (_folder, path) = place();
    let backend: Arc<dyn TaskBackend> = Arc::new(opened(&path).await);
    let backends = Backends::single(backend.clone());
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    let seen = worker.queue().wait(Wake::default(), Duration::ZERO).await;
    let mut connection = outside(&path).await;
    let mut transaction = connection.begin().await.expect("a transaction");
    let call = echo::new("x").enqueue_in_on(&mut transaction, &backends);
    let id = call.await.expect("accepted").id();
    transaction.commit().await.expect("committed");
    let waited = tokio::time::timeout(PATIENCE / 2, worker.queue().wait(seen, PATIENCE));
    waited.await.expect("the commit ends the wait");
    assert_eq!(worker.claim_one().await.record.id, id);
    backend.close().await;
}

#[tokio::test]
async fn a_transaction_is_no_way_into_another_kind_of_backend() {
    let (_folder, path) = place();
    let backends = Backends::single(Arc::new(DummyBackend::new()));
    let mut connection = outside(&path).await;
    let error = echo::new("x").enqueue_in_on(&mut connection, &backends).await;
    let error = error.expect_err("dummy knows no transactions");
    assert_eq!(error.kind(), ErrorKind::InvalidTask);
    assert!(error.to_string().contains("is dummy"), "{error}");
}

#[tokio::test]
async fn a_refused_task_leaves_the_transaction_usable() {
    let (_folder, path) = place();
    let backends = Backends::single(Arc::new(opened(&path).await));
    let mut connection = outside(&path).await;
    let mut transaction = connection.begin().await.expect("a transaction");
    let own = format!("queue-{}", TaskId::new());
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let bad = echo::new("x").using(queue(own.clone()).priority(101));
    bad.enqueue_in_on(&mut transaction, &backends)
        .await
        .expect_err("out of range");
    let bad = echo::new("a\0")
        .using(queue(own.clone()))
        .enqueue_in_on(&mut transaction, &backends)
        .await;
    let error = bad.expect_err("no store could keep it");
    assert_eq!(error.kind(), ErrorKind::Encoding);
    assert!(
        error
            .message()
            .starts_with("argument `text` of `conformance::echo`"),
        "{error}"
    );
    assert_eq!(heard.records(), []);
    let good = echo::new("x").enqueue_in_on(&mut transaction, &backends).await;
    let id = good.expect("accepted").id();
    transaction.commit().await.expect("committed");
    let alias = backends.get("default").expect("the only one");
    assert_eq!(alias.record(id).await.expect("it is there").id, id);
    backends.close().await;
}
