//! The dummy backend: the suite, and what is its own.

use conformance::tasks::{echo, panic_with};
use conformance::{Fixture, Store, conformance};
use task_backends::DummyBackend;
use task_core::{Backends, ErrorKind, TaskBackend as _, TaskStatus, priority};

struct Dummy;

impl Fixture for Dummy {
    async fn fresh() -> Store {
        Store::new(DummyBackend::new())
    }
}

conformance!(Dummy: producer, keeper);

fn empty() -> (DummyBackend, Backends) {
    let dummy = DummyBackend::new();
    let backends = Backends::single(std::sync::Arc::new(dummy.clone()));
    (dummy, backends)
}

#[tokio::test]
async fn it_collects_what_is_enqueued_in_order_and_never_runs_it() {
    let (dummy, backends) = empty();
    assert_eq!(dummy.records(), []);
    let calm = echo::new("x").using(priority(-5));
    let calm = calm.enqueue_on(&backends).await.expect("accepted");
    let loud = panic_with::new("never")
        .enqueue_on(&backends)
        .await
        .expect("accepted");
    assert_eq!(dummy.records(), [calm.record().clone(), loud.record().clone()]);
    for record in dummy.records() {
        assert_eq!((record.status, record.attempts), (TaskStatus::Ready, 0));
    }
}

#[tokio::test]
async fn its_records_are_copies_that_do_not_change() {
    let (dummy, backends) = empty();
    let result = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let before = dummy.records();
    dummy
        .cancel(result.id(), &task_core::CancelRequest::default())
        .await
        .expect("it is there");
    assert_eq!(before[0].status, TaskStatus::Ready);
    assert_eq!(dummy.records()[0].status, TaskStatus::Canceled);
}

#[tokio::test]
async fn clearing_forgets_everything_and_the_ids_are_free_again() {
    let (dummy, backends) = empty();
    let result = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let record = dummy.records().remove(0);
    dummy.clear();
    assert_eq!(dummy.records(), []);
    assert_eq!(dummy.find(result.id()).await.expect("it can look"), None);
    let again = task_core::NewTask {
        id: record.id,
        name: record.name,
        queue: record.queue,
        priority: record.priority,
        run_after: None,
        arguments: record.arguments,
        policy: record.policy,
        metadata: record.metadata.clone(),
        unique: None,
    };
    dummy.enqueue(vec![again]).await.expect("the id is free");
    assert_eq!(dummy.records().len(), 1);
}

#[tokio::test]
async fn clones_share_what_they_collected_and_others_do_not() {
    let (dummy, backends) = empty();
    let (clone, other) = (dummy.clone(), DummyBackend::new());
    echo::new("x").enqueue_on(&backends).await.expect("accepted");
    assert_eq!(clone.records(), dummy.records());
    assert_eq!(other.records(), []);
    clone.clear();
    assert_eq!(dummy.records(), []);
}

#[tokio::test]
async fn refreshing_a_result_that_was_cleared_is_not_found_and_changes_nothing() {
    let (dummy, backends) = empty();
    let mut result = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    let before = result.clone();
    dummy.clear();
    let error = result.refresh().await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(result, before);
}
