//! What heals by itself: a server that forgot its scripts, a connection that was cut, a server that was
//! killed and started again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use conformance::played_worker::{PlayedWorker, succeeded};
use conformance::tasks::echo;
use task_backends::{RedisBackend, RedisOptions};
use task_core::{
    BackendAlias, Backends, ErrorKind, Filter, Limits, Page, Registry, TaskBackend, TaskId, TaskStatus, Wake,
    enqueue_many_on,
};
use task_worker::{Shutdown, Worker, WorkerOptions};

use crate::SERVER;
use crate::place::Place;
use crate::server::Server;

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

async fn open(server: &Server) -> Arc<dyn TaskBackend> {
    let options = RedisOptions::from_url(&server.url()).expect("an address");
    Arc::new(RedisBackend::open(options).await.expect("opened"))
}

/// Enqueues one task.
async fn enqueue(backend: &Arc<dyn TaskBackend>) -> task_core::Result<TaskId> {
    let result = echo::new("x")
        .enqueue_on(&Backends::single(backend.clone()))
        .await?;
    Ok(result.id())
}

async fn status(backend: &Arc<dyn TaskBackend>, id: TaskId) -> TaskStatus {
    let found = backend.find(id).await.expect("it can be read");
    found.expect("it is there").status
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_told_them_again() {
    let place = Place::new(SERVER);
    let backend: Arc<dyn TaskBackend> = Arc::new(place.open().await);
    let mut outside = place.outside().remove(0);
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    for _ in 0..3 {
        let flushed: redis::RedisResult<()> = redis::cmd("SCRIPT").arg("FLUSH").query(&mut outside);
        flushed.expect("flushed");
        let id = enqueue(&backend).await.expect("accepted");
        let claimed = worker.claim_one().await;
        worker.finish(vec![succeeded(claimed, "1")]).await;
        assert_eq!(status(&backend, id).await, TaskStatus::Successful);
    }
    backend.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_is_made_again_and_wakes_again() {
    let server = Server::start(&[]);
    let (backend, other) = (open(&server).await, open(&server).await);
    let mut outside = server.connection();
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    for kind in ["normal", "pubsub", "normal"] {
        let killed: redis::RedisResult<i64> = redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", kind, "SKIPME", "yes"])
            .query(&mut outside);
        assert!(killed.expect("asked") > 0, "there was something to cut");
        let id = enqueue(&backend)
            .await
            .expect("it is sent again on a new connection");
        let claimed = worker.claim_one().await;
        worker.finish(vec![succeeded(claimed, "1")]).await;
        assert_eq!(status(&backend, id).await, TaskStatus::Successful);
        // What another process enqueues is heard of again.
        let mut seen = Wake::default();
        enqueue(&other).await.expect("accepted");
        let heard = async {
            loop {
                seen = worker.queue().wait(seen, PATIENCE).await;
                if let Some(claimed) = worker.claim(1).await.pop() {
                    return claimed;
                }
            }
        };
        let claimed = tokio::time::timeout(PATIENCE, heard).await.expect("heard of");
        worker.finish(vec![succeeded(claimed, "1")]).await;
    }
    backend.close().await;
    other.close().await;
}

#[tokio::test]
async fn without_a_server_every_call_ends_and_says_that_it_is_unavailable() {
    let mut server = Server::start(&[]);
    let backend = open(&server).await;
    let id = enqueue(&backend).await.expect("accepted");
    server.kill();
    let (enqueued, found) = tokio::join!(enqueue(&backend), backend.find(id));
    for error in [enqueued.expect_err("gone"), found.expect_err("gone")] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    server.start_again();
    assert_eq!(
        status(&backend, id).await,
        TaskStatus::Ready,
        "it goes on by itself"
    );
    enqueue(&backend).await.expect("accepted");
    backend.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed_during_a_run() {
    let mut server = Server::start(&[]);
    let backend = open(&server).await;
    let alias = BackendAlias::new("default", backend.clone(), [], Limits::DEFAULT);
    let backends = Backends::new([alias]);
    let registry = Registry::collected().expect("no two tasks of one name");
    let options = WorkerOptions {
        id: "w".to_owned(),
        ..WorkerOptions::default()
    };
    let alias = backends.get("default").expect("the only one").clone();
    let worker = Worker::new(alias, registry, options).expect("a worker like any other");
    let shutdown = Shutdown::new();
    let running = tokio::spawn(worker.run(shutdown.clone()));
    let (mut accepted, mut kills) = (BTreeSet::new(), 0);
    for round in 0..3 {
        let producer = tokio::spawn({
            let backends = backends.clone();
            async move {
                let mut mine = Vec::new();
                for _ in 0..40 {
                    let calls: Vec<_> = (0..25).map(|_| echo::new("x")).collect();
                    if let Ok(results) = enqueue_many_on(calls, &backends).await {
                        mine.extend(results.iter().map(|result| result.id()));
                    }
                }
                mine
            }
        });
        // In the middle of it, whenever that is.
        while backend.find(TaskId::new()).await.is_ok() && !producer.is_finished() {
            let counts = backend.admin().expect("the operator's face").counts().await;
            let enqueued: u64 = counts.map_or(0, |counts| counts.iter().map(|count| count.tasks).sum());
            if enqueued > (round * 1000) + 200 {
                server.kill();
                server.start_again();
                kills += 1;
                break;
            }
        }
        accepted.extend(producer.await.expect("no panic"));
    }
    assert!(kills > 1, "the server was killed {kills} times");
    assert!(accepted.len() > 1_000, "{} were accepted", accepted.len());
    let began = std::time::Instant::now();
    let mut waiting: Vec<TaskId> = accepted.iter().copied().collect();
    while let Some(id) = waiting.pop() {
        while !matches!(backend.find(id).await, Ok(Some(record)) if record.status == TaskStatus::Successful) {
            assert!(began.elapsed() < PATIENCE, "{id} was accepted and never ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    shutdown.stop();
    running.await.expect("no panic").expect("it ends well");
    let unfinished = Filter {
        statuses: vec![TaskStatus::Running],
        ..Filter::default()
    };
    let listed = backend
        .admin()
        .expect("the operator's face")
        .list(&unfinished, &Page::default())
        .await;
    assert_eq!(listed.expect("a page").tasks, [], "nothing is held by nobody");
    backend.close().await;
}
