//! The file is replaced: the worker goes on as the new program, and no task is lost.

use conformance::executions::{cooperative, gated, gated_thread, slow_record};
use task_core::{Task, TaskCall, TaskRecord, TaskStatus};

use crate::system::{PATIENCE, Place, Signal};
use crate::{program, put, runs_what_stands_there, start};

/// One attempt, of the only worker there is.
fn assert_as_if_it_had_not_been_started_before(record: &TaskRecord) {
    assert_eq!(
        (
            record.attempts,
            record.errors.as_slice(),
            record.worker_ids.as_slice()
        ),
        (1, &[][..], &["watcher".to_owned()][..]),
        "{record:?}"
    );
}

/// A task that runs when the file is replaced runs again in the new program, in the same process.
async fn goes_back_and_ends_in_the_new_program<T: Task>(call: TaskCall<T>) {
    let place = Place::new().await;
    let id = place.enqueue([call]).await[0];
    let mut worker = start(&place, &["--reload"]);
    place.ledger().reaches(1).await;
    put(&program(&place));
    worker.says("this program was replaced").await;
    worker.says_times("worker starts", 2).await;
    runs_what_stands_there(&place, &worker).await;
    place.ledger().reaches_by(worker.pid(), 2).await;
    place.open_gate("end", None);
    let record = place.becomes(id, TaskStatus::Successful).await;
    assert_as_if_it_had_not_been_started_before(&record);
    assert_eq!(record.return_value, Some(worker.pid().to_string()));
    assert_eq!(place.ledger().len(), 2);
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    place.workers_join(0).await;
    place.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_task_is_given_back_and_ends_in_the_new_program_with_attempt_1() {
    goes_back_and_ends_in_the_new_program(gated::new(1, "end")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_blocks_its_thread_does_not_keep_the_old_program() {
    goes_back_and_ends_in_the_new_program(gated_thread::new(1, "end")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_because_it_was_told_to_end_has_not_failed() {
    let place = Place::new().await;
    let id = place.enqueue([cooperative::new()]).await[0];
    let worker = start(&place, &["--reload"]);
    place.ledger().reaches(1).await;
    put(&program(&place));
    place.ledger().reaches_by(worker.pid(), 2).await;
    let record = place.find(id).await;
    assert_eq!(record.status, TaskStatus::Running);
    assert_as_if_it_had_not_been_started_before(&record);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_however_often_the_file_is_replaced() {
    let place = Place::new().await;
    // Some go on for longer than the worker waits for them.
    let ms = |number| {
        if number % 100 == 7 {
            3_000
        } else {
            u64::from(number % 40) * 10
        }
    };
    let ids = place
        .enqueue((0..600).map(|number| slow_record::new(number, ms(number))))
        .await;
    let mut worker = start(&place, &["--reload", "--concurrency", "20"]);
    for times in 1..=3 {
        place.ledger().reaches(100 * times).await;
        put(&program(&place));
        worker.says_times("worker starts", times + 1).await;
    }
    place.all_end().await;
    for id in ids {
        let record = place.find(id).await;
        assert_eq!(record.status, TaskStatus::Successful, "{record:?}");
        assert_as_if_it_had_not_been_started_before(&record);
    }
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    place.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_twin_switches_it_on_and_no_reload_off() {
    let place = Place::new().await;
    put(&program(&place));
    let watcher = |name: &str, flags: &[&str]| {
        let mut command = place.command(program(&place).to_str().expect("a plain path"));
        command
            .env("TASK_RELOAD", "true")
            .args(["run", "--worker-id", name])
            .args(flags);
        crate::system::spawn(command, place.folder(), name)
    };
    let (on, mut off) = (watcher("on", &[]), watcher("off", &["--no-reload"]));
    place.workers_join(2).await;
    put(&program(&place));
    on.says_times("worker starts", 2).await;
    runs_what_stands_there(&place, &on).await;
    off.send(Signal::TERM);
    assert_eq!(off.exits_within(PATIENCE).await, 0);
    assert!(!off.log().contains("replaced"), "{}", off.log());
}
