//! Signals, backend by backend: `task_enqueued` once for each task, from whatever way it came.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::Heard;
use conformance::tasks::echo;
use task_backends::{DummyBackend, EnqueueIn as _, ImmediateBackend, SqliteBackend, SqliteOptions};
use task_core::signals::{TASK_ENQUEUED, TASK_FINISHED, TASK_STARTED};
use task_core::{Backends, TaskBackend, TaskId, TaskStatus, enqueue_many_on, queue};

/// The ids a signal was sent with while these calls were made, and those that were answered.
async fn enqueue_in_every_way(backend: Arc<dyn TaskBackend>) -> (Vec<TaskId>, Vec<TaskId>) {
    let backends = Backends::single(backend);
    let own = format!("queue-{}", TaskId::new());
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let call = || echo::new("x").using(queue(own.clone()));
    let one = call().enqueue_on(&backends).await.expect("accepted");
    let mut answered = vec![one.id()];
    let many = (0..1_200).map(|_| call()).collect();
    let many = enqueue_many_on(many, &backends).await.expect("accepted");
    answered.extend(many.iter().map(|result| result.id()));
    let sent = heard.records().iter().map(|record| record.id).collect();
    backends.close().await;
    (sent, answered)
}

#[tokio::test]
async fn task_enqueued_is_sent_once_for_each_task_by_dummy() {
    let (sent, answered) = enqueue_in_every_way(Arc::new(DummyBackend::new())).await;
    assert!(
        sent == answered,
        "{} sent for {} tasks",
        sent.len(),
        answered.len()
    );
}

#[tokio::test]
async fn task_enqueued_is_sent_once_for_each_task_by_immediate() {
    let (sent, answered) = enqueue_in_every_way(Arc::new(ImmediateBackend::new())).await;
    assert!(
        sent == answered,
        "{} sent for {} tasks",
        sent.len(),
        answered.len()
    );
}

async fn file() -> (tempfile::TempDir, Arc<SqliteBackend>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = SqliteOptions::new(folder.path().join("tasks.db"));
    let backend = SqliteBackend::open(options)
        .await
        .expect("the file can be opened");
    (folder, Arc::new(backend))
}

#[tokio::test]
async fn task_enqueued_is_sent_once_for_each_task_by_sqlite() {
    let (_folder, backend) = file().await;
    let (sent, answered) = enqueue_in_every_way(backend).await;
    assert!(
        sent == answered,
        "{} sent for {} tasks",
        sent.len(),
        answered.len()
    );
}

#[tokio::test]
async fn task_enqueued_is_sent_once_for_a_task_in_a_transaction_of_the_callers() {
    use sqlx::Connection as _;

    let (folder, backend) = file().await;
    let backends = Backends::single(backend);
    let own = format!("queue-{}", TaskId::new());
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let url = format!("sqlite://{}", folder.path().join("tasks.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url)
        .await
        .expect("the same file");
    let mut transaction = connection.begin().await.expect("a transaction");
    let call = echo::new("x").using(queue(own));
    let result = call
        .enqueue_in_on(&mut transaction, &backends)
        .await
        .expect("accepted");
    transaction.commit().await.expect("committed");
    let sent: Vec<_> = heard.records().iter().map(|record| record.id).collect();
    assert_eq!(sent, [result.id()]);
    backends.close().await;
}

#[tokio::test]
async fn a_store_sends_nothing_about_running_because_a_worker_does() {
    let (_folder, backend) = file().await;
    let backends = Backends::single(backend);
    let own = format!("queue-{}", TaskId::new());
    let started = Heard::in_queue(&TASK_STARTED, &own);
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let call = echo::new("x").using(queue(own));
    let result = call.enqueue_on(&backends).await.expect("accepted");
    assert_eq!(result.status(), TaskStatus::Ready);
    assert_eq!((started.records(), finished.records()), (Vec::new(), Vec::new()));
    backends.close().await;
}

#[tokio::test]
async fn the_panic_of_a_receiver_reaches_neither_the_caller_nor_other_receivers() {
    static TIMES: AtomicUsize = AtomicUsize::new(0);

    let own = format!("queue-{}", TaskId::new());
    let _panicking = TASK_ENQUEUED.connect({
        let own = own.clone();
        move |record| {
            if *record.queue == *own {
                TIMES.fetch_add(1, Ordering::SeqCst);
                panic!("a receiver's own trouble");
            }
        }
    });
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let dummy = DummyBackend::new();
    let backends = Backends::single(Arc::new(dummy.clone()));
    let call = echo::new("x").using(queue(own));
    call.enqueue_on(&backends).await.expect("accepted");
    assert_eq!(TIMES.load(Ordering::SeqCst), 1);
    assert_eq!((heard.records().len(), dummy.records().len()), (1, 1));
}

#[tokio::test]
async fn who_disconnected_hears_nothing_more() {
    let own = format!("queue-{}", TaskId::new());
    let backends = Backends::single(Arc::new(DummyBackend::new()));
    let call = || echo::new("x").using(queue(own.clone()));
    let (first, second) = (
        Heard::in_queue(&TASK_ENQUEUED, &own),
        Heard::in_queue(&TASK_ENQUEUED, &own),
    );
    call().enqueue_on(&backends).await.expect("accepted");
    let until_then = first.records();
    drop(first);
    call().enqueue_on(&backends).await.expect("accepted");
    assert_eq!((until_then.len(), second.records().len()), (1, 2));
}
