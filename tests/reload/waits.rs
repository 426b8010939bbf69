//! What a worker that watches its file waits for, and what ends it all the same.

use conformance::executions::{gated, record, slow_record};
use task_core::{TaskOptions, TaskStatus};

use crate::system::{PATIENCE, Place, Signal};
use crate::{program, put, runs_what_stands_there, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_removed_is_waited_for() {
    let place = Place::new().await;
    let worker = start(&place, &["--reload"]);
    place.workers_join(1).await;
    std::fs::remove_file(program(&place)).expect("it is there");
    // It goes on meanwhile.
    let id = place.enqueue([record::new(1)]).await[0];
    place.becomes(id, TaskStatus::Successful).await;
    put(&program(&place));
    worker.says_times("worker starts", 2).await;
    runs_what_stands_there(&place, &worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_run_is_no_new_program_yet() {
    let place = Place::new().await;
    let worker = start(&place, &["--reload"]);
    place.workers_join(1).await;
    let half = place.folder().join("half");
    std::fs::write(&half, "not linked yet").expect("the folder can be written to");
    std::fs::rename(&half, program(&place)).expect("a file can be moved over another");
    let id = place.enqueue([record::new(1)]).await[0];
    place.becomes(id, TaskStatus::Successful).await;
    put(&program(&place));
    worker.says_times("worker starts", 2).await;
    runs_what_stands_there(&place, &worker).await;
    assert_eq!(
        worker.log().matches("was replaced").count(),
        1,
        "{}",
        worker.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_must_not_run_twice_is_waited_for() {
    let place = Place::new().await;
    let once = TaskOptions::default().max_lost(0);
    // Longer than others would be given.
    let id = place.enqueue([slow_record::new(1, 3_500).using(once)]).await[0];
    let worker = start(&place, &["--reload", "--stop-timeout", "10m"]);
    place.ledger().reaches(1).await;
    put(&program(&place));
    worker.says("this program was replaced").await;
    let later = place.enqueue([record::new(2)]).await[0];
    let ended = place.becomes(id, TaskStatus::Successful).await;
    assert_eq!((ended.attempts, ended.errors.len()), (1, 0), "{ended:?}");
    worker.says_times("worker starts", 2).await;
    place.becomes(later, TaskStatus::Successful).await;
    assert_eq!(place.ledger().read().most(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_worker_that_makes_way() {
    let place = Place::new().await;
    let once = TaskOptions::default().max_lost(0);
    place.enqueue([gated::new(1, "end").using(once)]).await;
    let mut worker = start(&place, &["--reload", "--stop-timeout", "10m"]);
    place.ledger().reaches(1).await;
    put(&program(&place));
    worker.says("this program was replaced").await;
    worker.send(Signal::TERM);
    worker
        .says("received SIGTERM: ending instead of starting again")
        .await;
    place.open_gate("end", None);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    assert_eq!(worker.log().matches("worker starts").count(), 1);
    place.workers_join(0).await;
    place.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_batch_it_means_nothing_and_a_warning_says_so() {
    let place = Place::new().await;
    place.enqueue_records(3).await;
    let mut worker = start(&place, &["--reload", "--batch"]);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    worker.says("--reload means nothing together with --batch").await;
    assert_eq!(place.ledger().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_program_that_cannot_be_started_ends_the_worker_with_1_and_nothing_is_lost() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new().await;
    let id = place.enqueue([gated::new(1, "end")]).await[0];
    let mut worker = start(&place, &["--reload"]);
    place.ledger().reaches(1).await;
    let broken = place.folder().join("broken");
    std::fs::write(&broken, "#!/there/is/no/such/program\n").expect("the folder can be written to");
    let may_be_run = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&broken, may_be_run).expect("the file is there");
    std::fs::rename(&broken, program(&place)).expect("a file can be moved over another");
    assert_eq!(worker.exits_within(PATIENCE).await, 1);
    worker.says("the new program cannot be started").await;
    let record = place.find(id).await;
    assert_eq!(
        (record.status, record.attempts),
        (TaskStatus::Ready, 0),
        "{record:?}"
    );
    place.workers_join(0).await;
}
