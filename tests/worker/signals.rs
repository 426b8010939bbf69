//! What is said inside the process that runs a task, and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::Heard;
use task_core::signals::{TASK_FINISHED, TASK_STARTED};
use task_core::{TaskId, TaskOptions, TaskStatus, queue};

use crate::stage::Stage;
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
        .backoff(std::time::Duration::ZERO, std::time::Duration::ZERO);
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
    assert_eq!(worker.stop().await.succeeded, 3);
    assert_eq!(times.load(Ordering::SeqCst), 6);
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
