//! Everything at once, by several processes on one file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use conformance::played_worker::{PlayedWorker, succeeded};
use conformance::tasks;
use task_backends::SqliteBackend;
use task_core::{Backends, Cancellation, Filter, Page, PruneRule, TaskBackend, enqueue_many_on, queue};

use super::{PATIENCE, number, opened, outside, place, run, task};

/// How many tasks have ended, and how many there will be.
struct Ended {
    count: AtomicUsize,
    all: usize,
}

impl Ended {
    fn add(&self, more: usize) {
        self.count.fetch_add(more, Ordering::SeqCst);
    }

    fn is_all(&self) -> bool {
        self.count.load(Ordering::SeqCst) == self.all
    }
}

/// Enqueues so many tasks and cancels every tenth.
async fn produce(store: Arc<SqliteBackend>, count: usize, ended: Arc<Ended>) {
    for number in 0..count {
        let id = task(&*store).await.id;
        if number % 10 == 0
            && store
                .cancel(id, &task_core::CancelRequest::default())
                .await
                .expect("it is there")
                == Cancellation::Canceled
        {
            ended.add(1);
        }
    }
}

/// Claims and finishes until everything has ended.
async fn work(store: Arc<SqliteBackend>, name: String, ended: Arc<Ended>) {
    let backend: Arc<dyn TaskBackend> = store;
    let worker = PlayedWorker::join(&backend, &name, PATIENCE).await;
    while !ended.is_all() {
        let claimed = worker.claim(13).await;
        let ends: Vec<_> = claimed
            .into_iter()
            .map(|task| succeeded(task, "\"done\""))
            .collect();
        let count = ends.len();
        worker.finish(ends).await;
        ended.add(count);
        worker.asked_to_stop().await;
    }
    worker.leave().await;
}

/// Looks at everything, and rescues and deletes what there is not, until everything has ended.
async fn operate(store: Arc<SqliteBackend>, ended: Arc<Ended>) {
    let (queue, admin) = (store.queue().expect("a face"), store.admin().expect("a face"));
    let rule = PruneRule {
        min_age: 100 * PATIENCE,
        failed_min_age: None,
        queues: Vec::new(),
        dry_run: false,
    };
    while !ended.is_all() {
        assert_eq!(queue.rescue(100).await.expect("can rescue").returned, 0);
        assert_eq!(admin.prune(&rule).await.expect("can prune"), 0);
        admin.counts().await.expect("can count");
        let page = admin.list(&Filter::default(), &Page::default()).await;
        assert!(page.expect("can list").tasks.len() <= 50);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once_leaves_a_sound_file_with_nothing_left_over() {
    let (_folder, path) = place();
    let stores = [Arc::new(opened(&path).await), Arc::new(opened(&path).await)];
    let ended = Arc::new(Ended {
        count: AtomicUsize::new(0),
        all: 400,
    });
    let mut busy = tokio::task::JoinSet::new();
    for (number, store) in stores.iter().enumerate() {
        for part in 0..2 {
            busy.spawn(produce(store.clone(), 100, ended.clone()));
            busy.spawn(work(store.clone(), format!("w-{number}-{part}"), ended.clone()));
        }
        busy.spawn(operate(store.clone(), ended.clone()));
    }
    busy.join_all().await;
    let counts = stores[0]
        .admin()
        .expect("a face")
        .counts()
        .await
        .expect("can count");
    assert_eq!(counts.iter().map(|count| count.tasks).sum::<u64>(), 400);
    assert!(
        counts.iter().all(|count| count.status.is_finished()),
        "{counts:?}"
    );
    for store in &stores {
        store.close().await;
    }
    let mut connection = outside(&path).await;
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .expect("it can be checked");
    assert_eq!(sound, "ok");
    let left = "SELECT (SELECT count(*) FROM ready) + (SELECT count(*) FROM scheduled) \
         + (SELECT count(*) FROM claim) + (SELECT count(*) FROM cancellation)";
    assert_eq!(number(&mut connection, left).await, 0);
}

/// How long twenty claims of a hundred tasks take while so many wait in each of two lanes.
async fn claims_take(waiting: u64) -> Duration {
    let (_folder, path) = place();
    let store = Arc::new(opened(&path).await);
    let backends = Backends::single(store.clone());
    for name in ["one", "other"] {
        let call = |count: u64| tasks::echo::new(count.to_string()).using(queue(name));
        let stored = enqueue_many_on((0..waiting).map(call).collect(), &backends).await;
        stored.expect("the store takes them");
    }
    let backend: Arc<dyn TaskBackend> = store;
    let worker = PlayedWorker::join(&backend, "worker", PATIENCE).await;
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(worker.claim(100).await.len(), 100);
    }
    began.elapsed()
}

/// A claim from several lanes reads the beginning of each, however many tasks wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_takes_as_long_with_many_waiting_as_with_few() {
    let (few, many) = (claims_take(2_000).await, claims_take(50_000).await);
    // Reading all that waits took hundreds of times as long.
    assert!(
        many < few * 8 + Duration::from_millis(200),
        "{few:?} with few, {many:?} with many"
    );
}

/// Calls that come while the file is locked share the next transaction. When one of them makes it
/// fail, a queue that was new in it is new again when the others are tried by themselves.
#[tokio::test]
async fn a_queue_that_was_new_in_a_transaction_that_failed_is_made_again() {
    let (_folder, path) = place();
    let backend: Arc<dyn TaskBackend> = Arc::new(opened(&path).await);
    let backends = Backends::single(backend.clone());
    let mut lock = outside(&path).await;
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    let gone = PlayedWorker::join(&backend, "gone", PATIENCE).await;
    gone.leave().await;
    for round in 0..20 {
        let name = format!("queue-{round}");
        run(&mut lock, "BEGIN IMMEDIATE").await;
        let first = tasks::echo::new("x").enqueue_on(&backends);
        let new = tasks::echo::new("x")
            .using(queue(name.clone()))
            .enqueue_on(&backends);
        let (first, new, claimed, refused, ()) = tokio::join!(
            first,
            new,
            worker.try_claim(1),
            gone.try_claim(1),
            run(&mut lock, "COMMIT")
        );
        refused.expect_err("it left");
        first.expect("accepted");
        let id = new.expect("accepted").id();
        let found = backend.find(id).await.expect("it can be read");
        assert_eq!(&*found.expect("it is there").queue, name);
        let mut claimed = claimed.expect("it lives").tasks;
        claimed.extend(worker.claim(10).await);
        assert_eq!(claimed.len(), 2, "round {round}");
        worker
            .finish(claimed.into_iter().map(|task| succeeded(task, "1")).collect())
            .await;
    }
    backend.close().await;
}
