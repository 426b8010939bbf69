//! Tasks of which what is stored is damaged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use conformance::played_worker::{PlayedWorker, succeeded};
use conformance::tasks::echo;
use task_backends::DummyBackend;
use task_core::{BackendAlias, Count, Limits, NewTask, PruneRule, TaskBackend, TaskStatus, queue};

use crate::SERVER;
use crate::heals::PATIENCE;
use crate::place::Place;

async fn counts(backend: &Arc<dyn TaskBackend>) -> Vec<(TaskStatus, u64)> {
    let admin = backend.admin().expect("it can be operated");
    let counts = admin.counts().await.expect("tasks can be counted");
    let of_queue = |count: Count| {
        assert_eq!(count.queue, "q", "no other queue was used");
        (count.status, count.tasks)
    };
    counts.into_iter().map(of_queue).collect()
}

/// A scheduled task that is damaged ends FAILED when it is due, as one that was ready does: it
/// holds nobody up, it is counted under its queue, and pruning deletes it.
#[tokio::test]
async fn a_damaged_task_ends_failed_whether_it_was_scheduled_or_ready() {
    let place = Place::new(SERVER);
    let backend: Arc<dyn TaskBackend> = Arc::new(place.open().await);
    let alias = BackendAlias::new("a", Arc::new(DummyBackend::new()), [], Limits::DEFAULT);
    let task = |delay: u64| -> NewTask {
        let options = queue("q").run_after(Duration::from_secs(delay));
        let call = echo::new("x").using(options);
        call.prepare(&alias).expect("a task like any other")
    };
    let tasks = vec![task(0), task(0), task(60), task(60)];
    let records = backend.enqueue(tasks).await.expect("accepted");
    let mut outside = place.outside().remove(0);
    for damaged in [0, 2] {
        let written: redis::RedisResult<i64> = redis::cmd("HSET")
            .arg(format!("{{{}:0}}:task", place.prefix))
            .arg(records[damaged].id.as_bytes())
            .arg("short")
            .query(&mut outside);
        assert_eq!(written.expect("written"), 0, "it was there");
    }
    assert_eq!(counts(&backend).await, [(TaskStatus::Ready, 4)]);
    place.ahead.fetch_add(120_000_000, Ordering::SeqCst);
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    let claim = worker.try_claim(10).await.expect("it lives");
    assert_eq!(claim.damaged, 2);
    let sound: Vec<_> = claim.tasks.iter().map(|task| task.record.id).collect();
    assert_eq!(sound, [records[1].id, records[3].id]);
    let ends = claim.tasks.into_iter().map(|task| succeeded(task, "1"));
    worker.finish(ends.collect()).await;
    let ended = [(TaskStatus::Failed, 2), (TaskStatus::Successful, 2)];
    assert_eq!(counts(&backend).await, ended);
    // A played attempt takes a moment; nothing is deleted before it has ended.
    place.ahead.fetch_add(1_000_000, Ordering::SeqCst);
    let rule = PruneRule {
        min_age: Duration::ZERO,
        failed_min_age: None,
        queues: Vec::new(),
        dry_run: false,
    };
    let pruned = backend.admin().expect("it can be operated").prune(&rule).await;
    assert_eq!(pruned.expect("pruned"), 4);
    assert_eq!(counts(&backend).await, []);
    backend.close().await;
}
