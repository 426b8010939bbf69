//! Enqueueing inside a transaction of the application's own.

use std::sync::Arc;
use std::time::Duration;

use conformance::Heard;
use conformance::played_worker::PlayedWorker;
use conformance::tasks::echo;
use sqlx::Connection as _;
use task_backends::{DummyBackend, EnqueueIn as _};
use task_core::signals::TASK_ENQUEUED;
use task_core::{Backends, ErrorKind, TaskBackend, TaskId, TaskOptions, TaskStatus, Wake, queue, run_after};

use crate::place::{DATABASE, Place, others};
use crate::servers::PATIENCE;

#[tokio::test]
async fn a_task_in_a_transaction_commits_with_the_applications_own_data() {
    let place = Place::new().await;
    let backends = Backends::single(Arc::new(place.opened().await));
    let backend = backends.get("default").expect("the only one").backend();
    let mut outside = place.outside().await;
    outside.run("CREATE TABLE purchase (item VARCHAR(20))").await;
    for commits in [false, true] {
        let mut transaction = outside.0.begin().await.expect("a transaction");
        sqlx::query("INSERT INTO purchase VALUES ('tea')")
            .execute(&mut *transaction)
            .await
            .expect("the statement is right");
        let call = echo::new("tea").using(queue("new in this transaction"));
        let result = call
            .enqueue_in_on(&mut transaction, &backends)
            .await
            .expect("accepted");
        assert_eq!(result.status(), TaskStatus::Ready);
        let later = echo::new("later").using(run_after(Duration::from_secs(3600)));
        let later = later
            .enqueue_in_on(&mut *transaction, &backends)
            .await
            .expect("accepted through the connection, too");
        let early = backend.find(result.id()).await.expect("it can be read");
        assert_eq!(early, None, "nobody sees it before the commit");
        if commits {
            transaction.commit().await.expect("committed");
        } else {
            transaction.rollback().await.expect("rolled back");
        }
        for stored in [&result, &later] {
            let found = backend.find(stored.id()).await.expect("it can be read");
            assert_eq!(found, commits.then(|| stored.record().clone()));
        }
        let bought = outside.number("SELECT count(*) FROM purchase").await;
        assert_eq!(bought, i64::from(commits));
    }
    // After the roll-back the same queue and name work in the usual way, too.
    let call = echo::new("x").using(queue("new in this transaction"));
    call.enqueue_on(&backends).await.expect("accepted");
    backends.close().await;
}

#[tokio::test]
async fn a_unique_task_in_a_transaction_holds_its_key_when_that_commits() {
    let place = Place::new().await;
    let backends = Backends::single(Arc::new(place.opened().await));
    let unique = || echo::new("x").using(TaskOptions::default().unique_key("one"));
    let mut outside = place.outside().await;
    let mut transaction = outside.0.begin().await.expect("a transaction");
    let first = unique().enqueue_in_on(&mut transaction, &backends).await;
    let first = first.expect("accepted");
    let again = unique().enqueue_in_on(&mut transaction, &backends).await;
    let again = again.expect("answered");
    assert!(!first.existed() && again.existed());
    assert_eq!(again.id(), first.id());
    transaction.rollback().await.expect("rolled back");
    // After the roll-back nobody holds it.
    let mut transaction = outside.0.begin().await.expect("a transaction");
    let second = unique().enqueue_in_on(&mut transaction, &backends).await;
    let second = second.expect("accepted");
    assert!(!second.existed() && second.id() != first.id());
    transaction.commit().await.expect("committed");
    let third = unique().enqueue_on(&backends).await.expect("answered");
    assert_eq!((third.id(), third.existed()), (second.id(), true));
    backends.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_in_a_transaction_wakes_a_worker_once_it_is_committed() {
    let place = Place::new().await;
    let backend: Arc<dyn TaskBackend> = Arc::new(place.opened().await);
    let backends = Backends::single(backend.clone());
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    let mut seen = worker.queue().wait(Wake::default(), Duration::ZERO).await;
    let mut outside = place.outside().await;
    let mut transaction = outside.0.begin().await.expect("a transaction");
    let call = echo::new("x").enqueue_in_on(&mut transaction, &backends);
    let id = call.await.expect("accepted").id();
    transaction.commit().await.expect("committed");
    let began = std::time::Instant::now();
    loop {
        seen = worker.queue().wait(seen, PATIENCE).await;
        let claimed = worker.claim(10).await;
        if let [task] = &claimed[..] {
            assert_eq!(task.record.id, id);
            break;
        }
        assert!(began.elapsed() < PATIENCE / 2, "nobody woke it");
    }
    backend.close().await;
}

#[tokio::test]
async fn a_transaction_is_no_way_into_another_kind_of_backend() {
    let place = Place::new().await;
    let mut outside = place.outside().await;
    let mut stores = others().await;
    stores.push(Arc::new(DummyBackend::new()));
    for store in stores {
        let kind = store.kind();
        let backends = Backends::single(store);
        let error = echo::new("x").enqueue_in_on(&mut outside.0, &backends).await;
        let error = error.expect_err("it is another kind");
        assert_eq!(error.kind(), ErrorKind::InvalidTask);
        let text = error.to_string();
        assert!(
            text.contains(&format!("is {kind}")) && text.contains(DATABASE),
            "{text}"
        );
        backends.close().await;
    }
}

#[tokio::test]
async fn a_refused_task_leaves_the_transaction_usable() {
    let place = Place::new().await;
    let backends = Backends::single(Arc::new(place.opened().await));
    let mut outside = place.outside().await;
    let mut transaction = outside.0.begin().await.expect("a transaction");
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
