//! What a worker in this process shows of itself.

use std::time::Duration;

use conformance::tasks::echo;
use task_core::{Registry, TaskStatus};
use task_worker::{Shutdown, Worker, WorkerOptions, WorkerState};

use crate::system::{Place, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_given_up_shows_the_lost_lease_and_that_it_is_ready_again() {
    let place = Place::new().await;
    let alias = place.backends().get("default").expect("the only one").clone();
    let mut registry = Registry::new();
    registry.add::<echo>().expect("alone");
    let options = WorkerOptions {
        id: "seen".to_owned(),
        concurrency: 3,
        lease: Duration::from_secs(3),
        ..WorkerOptions::default()
    };
    let worker = Worker::new(alias, registry, options).expect("a worker like any other");
    let status = worker.status();
    assert_eq!(status.state(), WorkerState::Starting);
    assert!(status.ready().is_err() && status.live().is_ok());
    let shutdown = Shutdown::new();
    let working = tokio::spawn(worker.run(shutdown.clone()));
    let ready = async || status.ready();
    eventually("the worker to be ready", ready).await;
    let now = status.snapshot();
    assert_eq!(
        (now.worker.as_str(), now.backend.as_str(), now.slots),
        ("seen", "default", 3)
    );
    assert_eq!((now.lost_leases, now.busy, now.backlog), (0, 0, 0));

    let mut sql = place.sql().await;
    sql.run("UPDATE worker SET ended_at = 1 WHERE ended_at IS NULL")
        .await;
    sql.close().await;
    eventually("the lost lease", async || match status.snapshot().lost_leases {
        1 => Ok(()),
        leases => Err(format!("{leases} lost leases")),
    })
    .await;
    eventually("the worker to be ready again", ready).await;
    let id = place.enqueue([echo::new("x")]).await[0];
    place.becomes(id, TaskStatus::Successful).await;
    eventually("the task to be counted", async || {
        let now = status.snapshot();
        let of_task: Vec<_> = now.tasks.iter().map(|task| (task.name, task.succeeded)).collect();
        if of_task == [("conformance::echo", 1)] && now.totals.succeeded == 1 && now.claimed >= 1 {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    })
    .await;
    shutdown.quiet();
    eventually("the worker to be quiet", async || match status.state() {
        WorkerState::Quiet => Ok(()),
        state => Err(format!("{state:?}")),
    })
    .await;
    shutdown.stop();
    let summary = working.await.expect("it does not panic").expect("it ends");
    assert_eq!(status.snapshot().totals, summary);
    assert_eq!(status.state(), WorkerState::Ended);
    assert!(status.live().is_err());
}
