//! Words that cannot be read: arguments, environment and settings that are no text, or say what
//! cannot be. Misspelt settings, aliases and twins are in `cli/settings.rs` and `cli/usage.rs`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::system::{Said, Site, WORKER, said_by};
use crate::{accepted, all_run};

/// Bytes that are no text.
fn no_text() -> &'static OsStr {
    OsStr::from_bytes(b"caf\xe9")
}

async fn run(site: &Site, variables: &[&str], arguments: &[&OsStr]) -> Said {
    let mut command = site.command(WORKER);
    command
        .envs(variables.iter().map(|name| (name, no_text())))
        .args(arguments);
    said_by(command, "").await
}

#[tokio::test]
async fn arguments_that_are_no_text_are_2() {
    let (site, ids) = accepted(3).await;
    for arguments in [
        &["enqueue".as_ref(), no_text()][..],
        &["enqueue".as_ref(), "conformance::nothing".as_ref(), no_text()],
        &["run".as_ref(), "--batch".as_ref(), "--queue".as_ref(), no_text()],
        &["show".as_ref(), no_text()],
        &[no_text()],
    ] {
        let said = run(&site, &[], arguments).await.exits_with(2);
        assert!(said.out.is_empty() && !said.err.is_empty(), "{said:#?}");
    }
    all_run(site, &ids).await;
}

#[tokio::test]
async fn a_variable_of_the_command_line_that_is_no_text_is_2_and_is_named() {
    let (site, ids) = accepted(3).await;
    let batch: [&OsStr; 2] = ["run".as_ref(), "--batch".as_ref()];
    for variable in ["TASK_QUEUE", "TASK_BACKEND", "TASK_LEASE", "TASK_LOG"] {
        let said = run(&site, &[variable], &batch).await.exits_with(2);
        said.complains(&[variable, "UTF-8"]);
    }
    all_run(site, &ids).await;
}

#[tokio::test]
async fn a_variable_of_the_settings_that_is_no_text_is_6_and_is_named() {
    let (site, ids) = accepted(3).await;
    for variable in ["TASKS_DEFAULT_URL", "TASKS_CONFIG", "TASKS_REPORTS_BACKEND"] {
        let said = run(&site, &[variable], &["counts".as_ref()]).await.exits_with(6);
        said.complains(&["settings", variable, "not UTF-8"]);
    }
    // Of another program.
    run(&site, &["GREETING"], &["counts".as_ref()])
        .await
        .exits_with(0);
    all_run(site, &ids).await;
}

#[tokio::test]
async fn a_settings_file_that_is_no_text_is_6() {
    let (site, ids) = accepted(3).await;
    let file = site.folder().join("tasks.toml");
    let before = std::fs::read(&file).expect("it is there");
    std::fs::write(&file, b"[default]\nbackend = \"caf\xe9\"\n").expect("the folder can be written to");
    let said = site.run(&["counts"]).await.exits_with(6);
    said.complains(&["cannot read the settings file", "tasks.toml"]);
    std::fs::write(&file, before).expect("the folder can be written to");
    all_run(site, &ids).await;
}

#[tokio::test]
async fn wrong_settings_and_twins_lose_nothing() {
    let (site, ids) = accepted(3).await;
    let file = site.folder().join("tasks.toml");
    let before = std::fs::read_to_string(&file).expect("it is there");
    site.set(&before.replace("queues", "qeues"));
    let said = site.run(&["run", "--batch"]).await.exits_with(6);
    said.complains(&["qeues", "tasks.toml:5", "did you mean `queues`?"]);
    site.set(&before);
    for (variable, value, code, part) in [
        ("TASKS_DEFAULT_BACKEND", "sqlit", 6, "did you mean `sqlite`?"),
        ("TASKS_DEFALT_URL", "sqlite://x", 6, "did you mean `default`?"),
        ("TASKS_DEFAULT_MAX_RESULT_BYTES", "much", 6, "whole number"),
        ("TASK_CONCURRENCY", "many", 2, "TASK_CONCURRENCY"),
        ("TASK_RELOAD", "perhaps", 2, "TASK_RELOAD"),
        ("TASK_BACKEND", "defualt", 6, "did you mean `default`?"),
    ] {
        let said = site.run_with(&[(variable, value)], &["run", "--batch"], "").await;
        said.exits_with(code).complains(&[part]);
    }
    all_run(site, &ids).await;
}
