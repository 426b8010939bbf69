//! Finished tasks that are deleted by themselves.

use std::time::Duration;

use task_core::{TaskOptions, TaskStatus, run_after};
use task_worker::WorkerOptions;

use crate::stage::{Stage, everything, options};
use crate::system::eventually;
use crate::tasks::{fail_deeply, note};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_deletes_what_finished_long_ago_and_nothing_else() {
    let stage = Stage::new().await;
    let done = stage.enqueue_one(note::new(stage.on(), "done")).await;
    let failed = stage
        .enqueue_one(fail_deeply::new().using(TaskOptions::default()))
        .await;
    let later = stage
        .enqueue_one(note::new(stage.on(), "later").using(run_after(Duration::from_secs(3_600))))
        .await;
    let worker = stage.hire("worker", 10);
    stage.ends_as(done, TaskStatus::Successful).await;
    stage.ends_as(failed, TaskStatus::Failed).await;
    worker.stop().await;

    let kept = WorkerOptions {
        keep: Some(Duration::from_secs(2)),
        ..options("pruner", 10)
    };
    let _worker = stage.hire_with(kept, everything());
    eventually("the end of what finished", async || {
        let backend = stage
            .alias()
            .backend()
            .find(done)
            .await
            .expect("it can be looked up");
        let other = stage
            .alias()
            .backend()
            .find(failed)
            .await
            .expect("it can be looked up");
        match (backend, other) {
            (None, None) => Ok(()),
            found => Err(format!("{found:?}")),
        }
    })
    .await;
    assert_eq!(stage.find(later).await.status, TaskStatus::Ready);
}
