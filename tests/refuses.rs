//! Worker binaries that were put together wrongly: they say so at once, and what to do.

mod system;

use system::{Site, said_by};

const FORGETFUL: &str = env!("CARGO_BIN_EXE_forgetful_worker");
const USURPING: &str = env!("CARGO_BIN_EXE_usurping_worker");
const DOUBLED: &str = env!("CARGO_BIN_EXE_doubled_worker");

async fn run(site: &Site, program: &str, arguments: &[&str]) -> system::Said {
    let mut command = site.command(program);
    command.args(arguments);
    said_by(command, "").await
}

#[tokio::test]
async fn a_worker_whose_author_named_no_crate_does_not_run_and_names_the_cure() {
    let site = Site::new();
    let said = run(&site, FORGETFUL, &["run"]).await;
    said.exits_with(6).complains(&[
        "no task is registered in this binary",
        "worker! { tasks = [your_crate] }",
    ]);
    assert!(!site.file().exists(), "it looked no further");
}

#[tokio::test]
async fn a_worker_whose_author_named_no_crate_can_still_be_asked() {
    let site = Site::new();
    let cure = ["no task is registered", "worker! { tasks = [your_crate] }"];
    let said = run(&site, FORGETFUL, &["tasks"])
        .await
        .exits_with(0)
        .complains(&cure);
    assert_eq!(said.out, "");
    let said = run(&site, FORGETFUL, &["tasks", "--json"]).await.exits_with(0);
    assert_eq!(said.out, "[]\n");
    run(&site, FORGETFUL, &["enqueue", "conformance::record"])
        .await
        .exits_with(6)
        .complains(&cure);
    run(&site, FORGETFUL, &["migrate"]).await.exits_with(0);
    run(&site, FORGETFUL, &["check"])
        .await
        .exits_with(6)
        .complains(&cure);
    run(&site, FORGETFUL, &["counts"]).await.exits_with(0);
}

#[tokio::test]
async fn a_worker_with_two_tasks_of_one_name_names_both_places() {
    let site = Site::new();
    let places = [
        "`conformance::echo`",
        "tasks.rs:8",
        "doubled_worker.rs:7",
        "another name",
    ];
    run(&site, DOUBLED, &["migrate"]).await.exits_with(0);
    for arguments in [
        &["run"][..],
        &["tasks"],
        &["enqueue", "conformance::echo"],
        &["check"],
    ] {
        run(&site, DOUBLED, arguments)
            .await
            .exits_with(6)
            .complains(&places);
    }
    run(&site, DOUBLED, &["list"]).await.exits_with(0);
}

#[tokio::test]
async fn a_worker_with_a_kind_of_backend_under_a_built_in_name_names_both_places() {
    let site = Site::new();
    let places = [
        "`sqlite`",
        "task-backends/src/connect.rs:",
        "usurping_worker.rs:6",
        "another name",
    ];
    for arguments in [
        &["run"][..],
        &["counts"],
        &["check"],
        &["enqueue", "conformance::nothing"],
    ] {
        run(&site, USURPING, arguments)
            .await
            .exits_with(6)
            .complains(&places);
    }
    assert!(!site.file().exists(), "nothing was opened");
}
