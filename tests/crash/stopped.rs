//! A worker that is silent for longer than its lease, and then goes on as if nothing had been.

use conformance::executions::{gated, record, slow_record};
use task_core::{FailureKind, TaskStatus};

use crate::system::{Kind, PATIENCE, Place, Signal, on_every_store};

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_workers_late_result_is_refused_and_the_others_stands() {
    let place = Place::new().await;
    let mut late = place.worker("late", &["--lease", "1s", "--log", "info,task_worker=debug"]);
    let id = place.enqueue([gated::new(1, "end")]).await[0];
    place.ledger().reaches(1).await;
    late.stop(&place).await;

    // The lease runs out, and another one takes over and ends the task.
    let mut other = place.worker("other", &["--lease", "1s"]);
    other.says("took over from lost workers").await;
    place.ledger().reaches(2).await;
    place.open_gate("end", Some(other.pid()));
    let ended = place.becomes(id, TaskStatus::Successful).await;
    assert_eq!(ended.return_value, Some(other.pid().to_string()));

    // The first one goes on and ends it, too. It hears of its loss only after that: the
    // store cannot be written to meanwhile.
    let mut lock = place.sql().await;
    lock.run("BEGIN IMMEDIATE").await;
    place.open_gate("end", Some(late.pid()));
    late.send(Signal::CONT);
    late.says("task succeeded").await;
    lock.run("COMMIT").await;
    lock.close().await;
    late.says("the task's lease was lost: its result was refused")
        .await;
    late.says("joined again").await;

    let record = place.find(id).await;
    assert_eq!(record, ended, "nothing of the late result was written");
    assert_eq!(record.worker_ids, ["late", "other"]);
    let kinds: Vec<FailureKind> = record.errors.iter().map(|error| error.failure.kind).collect();
    assert_eq!(kinds, [FailureKind::WorkerLost]);
    assert_eq!(
        place.ledger().read().of(&id.to_string()),
        [late.pid(), other.pid()]
    );

    // It works on.
    other.send(Signal::TERM);
    assert_eq!(other.exits_within(PATIENCE).await, 0);
    let next = place.enqueue([record::new(2)]).await[0];
    let next = place.becomes(next, TaskStatus::Successful).await;
    assert_eq!(next.return_value, Some(late.pid().to_string()));
    assert_eq!((next.worker_ids, next.attempts), (vec!["late".to_owned()], 1));
    place.assert_clean().await;
    assert!(late.is_alive());
}

async fn a_worker_that_is_stopped_again_and_again_comes_back_each_time_and_spoils_nothing(kind: Kind) {
    // More than the other one can do while this one is stopped.
    const EACH_TIME: u32 = 1_500;
    const STOPS: usize = 3;
    let place = Place::on(kind).await;
    let flags = ["--lease", "1s", "--concurrency", "4"];
    let (stuttering, steady) = (place.worker("stuttering", &flags), place.worker("steady", &flags));
    place.workers_join(2).await;
    for stop in 1..=STOPS {
        let so_far = place.ledger().read().by(stuttering.pid());
        place
            .enqueue((0..EACH_TIME).map(|number| slow_record::new(number, 5)))
            .await;
        place.ledger().reaches_by(stuttering.pid(), so_far + 20).await;
        stuttering.stop(&place).await;
        steady
            .says_times("took over from lost workers workers=1", stop)
            .await;
        stuttering.send(Signal::CONT);
        stuttering.says_times("joined again", stop).await;
    }
    place.all_end().await;

    let ledger = place.ledger().read();
    let workers = [&stuttering, &steady].map(|worker| (worker.name().to_owned(), worker.pid()));
    print!("{}", ledger.summary(&workers));
    assert!(ledger.most() <= 1 + STOPS);
    assert_eq!(steady.log().matches("result was refused").count(), 0);
    for (id, ended) in place.ended().await {
        let pids = ledger.of(&id);
        let value = ended.value.as_deref().unwrap_or("none");
        assert_eq!(ended.status, "SUCCESSFUL", "{id} {ended:?}");
        assert!(
            pids.iter().any(|pid| pid.to_string() == value),
            "{id} by {pids:?}, not {value}"
        );
    }
    place.assert_clean().await;
}

on_every_store! {
    a_worker_that_is_stopped_again_and_again_comes_back_each_time_and_spoils_nothing,
}
