//! The pause of a worker before its first claim.

use std::time::{Duration, Instant};

use task_core::{TaskAdmin, TaskStatus};
use task_worker::WorkerOptions;

use crate::stage::{Stage, everything, options};
use crate::system::eventually;
use crate::tasks::note;

/// Pauses longer than any test, but one time in ten thousand.
fn late(id: &str) -> WorkerOptions {
    WorkerOptions {
        startup_delay: Duration::from_secs(1_000_000),
        ..options(id, 1)
    }
}

async fn joined(stage: &Stage, count: usize) {
    eventually("the workers", async || {
        let alias = stage.alias();
        let admin: &dyn TaskAdmin = alias.backend().admin().expect("a store has a face for operators");
        let workers = admin.workers().await.expect("workers can be listed").len();
        if workers == count {
            Ok(())
        } else {
            Err(format!("{workers}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_pauses_before_its_first_claim_is_there_and_takes_nothing_yet() {
    let stage = Stage::new().await;
    let calls = (0..20).map(|number| note::new(stage.on(), number.to_string()));
    let ids = stage.enqueue(calls).await;
    let paused = stage.hire_with(late("paused"), everything());
    joined(&stage, 1).await;
    // Another one runs them.
    let quick = stage.hire("quick", 1);
    for id in ids {
        let record = stage.ends_as(id, TaskStatus::Successful).await;
        assert_eq!(record.worker_ids, ["quick"]);
    }
    quick.stop().await;
    let began = Instant::now();
    let summary = paused.stop().await;
    assert_eq!(summary.started, 0);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "told to stop, it does not wait"
    );
    joined(&stage, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_pause_everything_runs() {
    let stage = Stage::new().await;
    let soon = WorkerOptions {
        startup_delay: Duration::from_millis(200),
        ..options("soon", 1)
    };
    let id = stage.enqueue_one(note::new(stage.on(), "a")).await;
    let worker = stage.hire_with(soon, everything());
    stage.ends_as(id, TaskStatus::Successful).await;
    worker.stop().await;
}
