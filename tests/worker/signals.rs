//! What is said inside the process that runs a task, and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::Heard;
use task_core::signals::{TASK_ENQUEUED, TASK_FINISHED, TASK_STARTED};
use task_core::{Backoff, Registry, TaskId, TaskOptions, TaskStatus, queue};
use task_worker::{Shutdown, Worker};

use crate::stage::{Stage, options};
use crate::system::{Place, eventually};
use crate::tasks::{end_when_told, fail_at_first, note};

/// A queue whose signals no other test hears.
fn own_queue() -> String {
    format!("queue-{}", TaskId::new())
}

async fn heard(signal: &Heard, count: usize) -> Vec<task_core::TaskRecord> {
    eventually(&format!("{count} signals"), async || {
        let records = signal.records();
        if records.len() >= count {
            Ok(records)
        } else {
            Err(format!("{records:?}"))
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn started_is_sent_at_each_attempt_and_finished_once_when_the_store_has_it() {
    let stage = Stage::new().await;
    let own = own_queue();
    let started = Heard::in_queue(&TASK_STARTED, &own);
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let options = TaskOptions::default()
        .queue(own)
        .backoff(Backoff::fixed(std::time::Duration::ZERO));
    let id = stage.enqueue_one(fail_at_first::new(2_u32).using(options)).await;
    let worker = stage.hire("worker", 10);
    let finished = heard(&finished, 1).await;
    let stored = stage.find(id).await;
    assert!(
        stored.status.is_finished(),
        "the store has it before anybody is told"
    );
    worker.stop().await;

    let attempts: Vec<_> = started
        .records()
        .iter()
        .map(|record| (record.status, record.attempts))
        .collect();
    assert_eq!(attempts, [1, 2, 3].map(|attempt| (TaskStatus::Running, attempt)));
    let [finished] = finished.as_slice() else {
        panic!("sent once: {finished:?}");
    };
    assert_eq!((finished.id, finished.status), (id, TaskStatus::Successful));
    assert_eq!(
        (finished.return_value.as_deref(), finished.attempts),
        (Some("3"), 3)
    );
    assert_eq!(finished.finished_at, stored.finished_at);
    assert_eq!(finished.worker_ids, stored.worker_ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_is_sent_for_failed_and_canceled_tasks() {
    let stage = Stage::new().await;
    let own = own_queue();
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let _worker = stage.hire("worker", 10);
    let failing = fail_at_first::new(9_u32).using(queue(own.clone()).max_attempts(1));
    let failing = stage.enqueue_one(failing).await;
    let canceled = stage
        .enqueue_one(end_when_told::new(stage.on()).using(queue(own)))
        .await;
    stage.runs(1).await;
    stage.cancel(canceled).await;
    let finished = heard(&finished, 2).await;
    let ended: Vec<_> = finished.iter().map(|record| (record.id, record.status)).collect();
    assert_eq!(
        ended,
        [(failing, TaskStatus::Failed), (canceled, TaskStatus::Canceled)]
    );
    for (id, _) in ended {
        let stored = stage.find(id).await;
        let heard = finished
            .iter()
            .find(|record| record.id == id)
            .expect("it was heard");
        assert_eq!(heard.errors.len(), stored.errors.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_tasks_is_said_to_start_and_to_finish_once() {
    let stage = Stage::new().await;
    let own = own_queue();
    let started = Heard::in_queue(&TASK_STARTED, &own);
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let calls = (0..500).map(|number| note::new(stage.on(), number.to_string()).using(queue(own.clone())));
    let mut ids = stage.enqueue(calls).await;
    let workers = [stage.hire("one", 10), stage.hire("other", 10)];
    heard(&finished, ids.len()).await;
    for worker in workers {
        worker.stop().await;
    }
    ids.sort_unstable();
    for signal in [started, finished] {
        let mut said: Vec<TaskId> = signal.records().iter().map(|record| record.id).collect();
        said.sort_unstable();
        assert!(said == ids, "{} signals for {} tasks", said.len(), ids.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_panics_changes_nothing() {
    let stage = Stage::new().await;
    let own = own_queue();
    let times = Arc::new(AtomicUsize::new(0));
    let panicking = [&TASK_STARTED, &TASK_FINISHED].map(|signal| {
        let (own, times) = (own.clone(), times.clone());
        signal.connect(move |record| {
            if *record.queue == *own {
                times.fetch_add(1, Ordering::SeqCst);
                panic!("a receiver's own trouble");
            }
        })
    });
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let worker = stage.hire("worker", 1);
    for number in 0..3 {
        let call = note::new(stage.on(), number.to_string()).using(queue(own.clone()));
        let id = stage.enqueue_one(call).await;
        stage.ends_as(id, TaskStatus::Successful).await;
    }
    heard(&finished, 3).await;
    let failing = fail_at_first::new(9_u32).using(queue(own).max_attempts(1));
    let failing = stage.enqueue_one(failing).await;
    let record = stage.ends_as(failing, TaskStatus::Failed).await;
    assert_eq!(record.errors[0].failure.message, "failure 1", "its own reason");
    heard(&finished, 4).await;
    let summary = worker.stop().await;
    assert_eq!((summary.succeeded, summary.failed), (3, 1));
    assert_eq!(times.load(Ordering::SeqCst), 8, "each signal was sent once");
    drop(panicking);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_only_enqueues_hears_nothing_of_running() {
    let place = Place::new().await;
    let own = own_queue();
    let started = Heard::in_queue(&TASK_STARTED, &own);
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let _worker = place.worker("worker", &[]);
    let call = conformance::executions::record::new(1).using(queue(own));
    let id = place.enqueue([call]).await[0];
    place.becomes(id, TaskStatus::Successful).await;
    assert_eq!((started.records(), finished.records()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_only_runs_hears_nothing_of_enqueueing() {
    let place = Place::new().await;
    let own = own_queue();
    let enqueued = Heard::in_queue(&TASK_ENQUEUED, &own);
    let finished = Heard::in_queue(&TASK_FINISHED, &own);
    let said = place
        .run(&["enqueue", "conformance::nothing", "--queue", &own])
        .await;
    said.exits_with(0);

    let mut registry = Registry::new();
    registry
        .add::<conformance::tasks::nothing>()
        .expect("a free name");
    let alias = place.backends().get("default").expect("the only one").clone();
    let worker = Worker::new(alias, registry, options("worker", 1)).expect("a worker like any other");
    let shutdown = Shutdown::new();
    let running = tokio::spawn(worker.run(shutdown.clone()));
    heard(&finished, 1).await;
    shutdown.stop();
    running.await.expect("it does not panic").expect("it ends well");
    assert_eq!(enqueued.records(), []);
}
