//! Disks that are full or cannot be written to.

use std::io::Write as _;
use std::path::PathBuf;

use conformance::executions::{gated, record};
use task_core::{ErrorKind, TaskId, TaskStatus, enqueue_many_on};

use crate::mounts::{Disk, passes_with_mounts_of_its_own};
use crate::system::{PATIENCE, Place, Signal, Site};
use crate::{accepted_at, all_run};

/// Something else that takes room on the disk.
fn ballast(place: &Site) -> PathBuf {
    let file = place.store().join("ballast");
    std::fs::write(&file, vec![1; 30 << 20]).expect("there is room");
    file
}

/// Takes what room is left, to the last block.
fn take_the_rest(place: &Site) -> PathBuf {
    let path = place.store().join("rest");
    let mut file = std::fs::File::create(&path).expect("a name takes no room");
    while file.write_all(&[1; 512]).is_ok() {}
    path
}

/// Enqueues until the disk is full, and returns what was accepted.
async fn fill(place: &Place) -> Vec<TaskId> {
    let mut accepted = Vec::new();
    // Where many do not fit, a few still may.
    for at_once in [500, 20, 1] {
        let error = loop {
            let calls = (0..at_once).map(record::new).collect();
            match enqueue_many_on(calls, place.backends()).await {
                Ok(results) => accepted.extend(results.iter().map(|result| result.id())),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert!(
            error.advice().is_some_and(|hint| hint.contains("make room")),
            "{error}"
        );
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_tasks_and_keeps_all_that_were_accepted() {
    if passes_with_mounts_of_its_own("disk::a_full_disk_refuses_tasks_and_keeps_all_that_were_accepted") {
        return;
    }
    let site = Site::new();
    let disk = Disk::mount(&site.store(), "32m");
    let ballast = ballast(&site);
    let place = Place::at(site).await;
    let accepted = fill(&place).await;
    assert!(accepted.len() > 500, "only {}", accepted.len());
    let said = place
        .run(&["enqueue", "conformance::nothing"])
        .await
        .exits_with(1);
    said.complains(&["store unavailable", "the disk is full", "make room"]);
    // Looking takes no room.
    for id in accepted.iter().step_by(250).chain(accepted.last()) {
        assert_eq!(place.find(*id).await.status, TaskStatus::Ready);
    }
    std::fs::remove_file(ballast).expect("it is there");
    let mut sql = place.sql().await;
    let stored = sql.number("SELECT count(*) FROM task").await;
    sql.close().await;
    assert_eq!(
        usize::try_from(stored),
        Ok(accepted.len()),
        "nothing was half written"
    );
    all_run(place.leave().await, &accepted).await;
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_outlives_a_full_disk_and_delivers_what_it_had_finished() {
    if passes_with_mounts_of_its_own("disk::a_worker_outlives_a_full_disk_and_delivers_what_it_had_finished")
    {
        return;
    }
    const RUNNING: u32 = 20;
    let site = Site::new();
    let disk = Disk::mount(&site.store(), "32m");
    let ballast = ballast(&site);
    let place = Place::at(site).await;
    let running = place
        .enqueue((0..RUNNING).map(|number| gated::new(number, "full")))
        .await;
    let mut worker = place.worker(
        "worker",
        &["--concurrency", "20", "--prefetch", "0", "--lease", "10m"],
    );
    place.ledger().reaches(running.len()).await;
    let waiting = fill(&place).await;
    let rest = take_the_rest(&place);
    place.open_gate("full", None);
    worker
        .says("cannot write down how tasks ended, trying again")
        .await;
    worker.says("the disk is full").await;
    assert!(worker.is_alive());
    for file in [ballast, rest] {
        std::fs::remove_file(file).expect("it is there");
    }
    place.all_end().await;
    place.assert_exact(&[]).await;
    assert_eq!(place.ledger().read().most(), 1, "nothing ran twice");
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    let all: Vec<TaskId> = running.into_iter().chain(waiting).collect();
    all_run(place.leave().await, &all).await;
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_written_to_is_1_for_every_command_that_writes() {
    if passes_with_mounts_of_its_own(
        "disk::a_disk_that_cannot_be_written_to_is_1_for_every_command_that_writes",
    ) {
        return;
    }
    let site = Site::new();
    let disk = Disk::mount(&site.store(), "10m");
    let (site, ids) = accepted_at(site, 100).await;
    disk.set_writable(false);
    for command in [
        &["enqueue", "conformance::nothing"][..],
        &["run", "--batch"],
        &["prune"],
        &["retry", crate::NOBODY],
        &["cancel", crate::NOBODY],
    ] {
        let said = site.run(command).await.exits_with(1);
        said.complains(&["tasks.db", "read-only", "hint: "]);
    }
    disk.set_writable(true);
    all_run(site, &ids).await;
    drop(disk);
}
