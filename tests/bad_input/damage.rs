//! Parts of a sound file that are damaged: a table that is not there, values that are not what
//! they must be. The task ends `FAILED` and says why; its neighbours do not suffer from it.

use task_core::{FailureKind, TaskId, TaskStatus};

use crate::system::{PATIENCE, Place, Signal, Site, Sql};
use crate::{COMMANDS, accepted, accepted_at, all_run};

/// Changes the file behind the framework's back.
async fn change(site: &Site, statements: &[&'static str]) {
    let mut sql = Sql::open(&site.file()).await;
    for statement in statements {
        sql.run(statement).await;
    }
    sql.close().await;
}

/// Runs everything, of which only these fail, and for this reason.
async fn only_these_fail(site: Site, ids: &[TaskId], damaged: &[usize], reason: &str) -> Place {
    site.run(&["run", "--batch", "--concurrency", "5"])
        .await
        .exits_with(0);
    let place = Place::at(site).await;
    for (position, id) in ids.iter().enumerate() {
        let record = place.find(*id).await;
        if !damaged.contains(&position) {
            assert_eq!(record.status, TaskStatus::Successful, "{position}: {record:?}");
            continue;
        }
        assert_eq!(record.status, TaskStatus::Failed, "{position}: {record:?}");
        let failure = &record.errors.last().expect("the reason is kept").failure;
        assert_eq!(failure.kind, FailureKind::Damaged);
        assert!(
            failure
                .message
                .contains("what is stored about the task is damaged")
                && failure.message.contains(reason),
            "{failure}"
        );
    }
    place.assert_clean().await;
    place
}

#[tokio::test]
async fn a_table_that_is_missing_is_1_and_everything_runs_when_it_is_back() {
    let (site, ids) = accepted(100).await;
    change(&site, &["ALTER TABLE result RENAME TO lost"]).await;
    for command in [&["list"][..], &["counts"], &["prune"], &["show", crate::NOBODY]] {
        let said = site.run(command).await.exits_with(1);
        said.complains(&[
            "corrupt data",
            "lacks a part of its schema version",
            "restore it from a copy",
        ]);
    }
    // A worker says so and waits for somebody to cure it.
    let mut worker = site.worker("worker", &[]);
    worker.says("lacks a part of its schema version").await;
    assert!(worker.is_alive());
    change(&site, &["ALTER TABLE lost RENAME TO result"]).await;
    let place = Place::at(site).await;
    place.all_end().await;
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    all_run(place.leave().await, &ids).await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_ends_its_task_and_no_other() {
    let (site, ids) = accepted(20).await;
    change(
        &site,
        &["UPDATE task SET policy = '{\"max_attempts\": 3' WHERE seq = 8"],
    )
    .await;
    let place = only_these_fail(site, &ids, &[7], "a retry policy `{\"max_attempts\": 3`").await;
    let id = ids[7].to_string();
    place.run(&["list"]).await.exits_with(0);
    place.run(&["show", &id]).await.exits_with(0);
    let said = place.run(&["wait", &id]).await.exits_with(4);
    said.complains(&["is FAILED", "what is stored about the task is damaged"]);
    // Once it is whole again, it can run again.
    place.run(&["retry", &id]).await.exits_with(0);
    change(&place, &["UPDATE task SET policy = NULL WHERE seq = 8"]).await;
    all_run(place.leave().await, &ids).await;
}

#[tokio::test]
async fn a_batch_worker_does_not_end_early_because_of_damaged_tasks() {
    let (site, ids) = accepted(400).await;
    change(&site, &["UPDATE task SET policy = 'x' WHERE seq <= 200"]).await;
    let damaged: Vec<usize> = (0..200).collect();
    only_these_fail(site, &ids, &damaged, "a retry policy `x`").await;
}

#[tokio::test]
async fn values_of_all_kinds_that_are_not_what_they_must_be_end_their_tasks_and_no_others() {
    let (site, ids) = accepted(10).await;
    change(
        &site,
        &[
            "UPDATE task SET arguments = CAST(x'7b226e756d626572223a2022ff227d' AS TEXT) WHERE seq = 2",
            "UPDATE task SET enqueued_at = 9223372036854775807 WHERE seq = 4",
            "UPDATE ready SET attempt = -1 WHERE seq = 6",
            "UPDATE ready SET last_attempt = 99999999999 WHERE seq = 8",
        ],
    )
    .await;
    let said = site.run(&["run", "--batch"]).await.exits_with(0);
    said.complains(&["what is stored about tasks is damaged: they end FAILED tasks=4"]);
    change(&site, &["UPDATE task SET enqueued_at = 1 WHERE seq = 4"]).await;
    only_these_fail(site, &ids, &[1, 3, 5, 7], "").await;
}

#[tokio::test]
async fn a_claimed_task_whose_policy_is_damaged_does_not_keep_a_rescuer_from_the_others() {
    let place = Place::new().await;
    let ids = place
        .enqueue((0..3).map(|number| conformance::executions::gated::new(number, "end")))
        .await;
    let mut first = place.worker("first", &["--lease", "1s"]);
    place.ledger().reaches(3).await;
    change(&place, &["UPDATE task SET policy = 'x' WHERE seq = 2"]).await;
    first.kill();
    place.open_gate("end", None);
    let mut second = place.worker("second", &["--lease", "1s"]);
    place.all_end().await;
    for (id, status) in ids
        .iter()
        .zip([TaskStatus::Successful, TaskStatus::Failed, TaskStatus::Successful])
    {
        let record = place.find(*id).await;
        assert_eq!((record.status, record.attempts), (status, 2), "{record:?}");
    }
    second.send(Signal::TERM);
    assert_eq!(second.exits_within(PATIENCE).await, 0);
    place.assert_clean().await;
}

#[tokio::test]
async fn a_kept_failure_that_cannot_be_read_keeps_nobody_from_the_rest() {
    let (site, mut ids) = accepted(3).await;
    let refused = site
        .run(&["enqueue", "conformance::refuse", r#"{"reason": "no"}"#])
        .await;
    let refused = refused.exits_with(0).line().to_owned();
    let (site, more) = {
        site.run(&["run", "--batch"]).await.exits_with(0);
        change(&site, &["UPDATE attempt SET failure = 'x'"]).await;
        accepted_at(site, 3).await
    };
    ids.extend(more);
    site.run(&["list"]).await.exits_with(0);
    let said = site.run(&["show", &refused]).await.exits_with(0);
    assert!(
        said.out.contains("what was kept of this attempt cannot be read"),
        "{said:#?}"
    );
    site.run(&["retry", &refused]).await.exits_with(0);
    site.run(&["run", "--batch"]).await.exits_with(0);
    let task = site.run(&["show", &refused, "--json"]).await.exits_with(0).json();
    assert_eq!(
        (&task["status"], &task["attempts"]),
        (&"FAILED".into(), &2.into())
    );
    all_run(site, &ids).await;
}

#[tokio::test]
async fn commands_on_an_empty_file_make_a_store_of_it() {
    let site = Site::new();
    std::fs::write(site.file(), "").expect("the folder can be written to");
    for command in COMMANDS {
        site.run(command).await.exits_with(0);
    }
}
