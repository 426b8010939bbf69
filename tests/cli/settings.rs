//! Settings that cannot be understood, and backends that are not there: exit code 6.

use crate::system::Site;

/// A command that needs the settings and a backend.
const COUNTS: [&str; 1] = ["counts"];

#[tokio::test]
async fn settings_that_cannot_be_understood_are_6_with_place_and_hint() {
    let site = Site::new();
    for (settings, complaints) in [
        ("[default\n", &["tasks.toml"][..]),
        (
            "[default]\nbackend = \"sqlite\"\n",
            &["needs a `url`", "sqlite://tasks.db"],
        ),
        (
            "[default]\nbackend = \"sqlite\"\nurl = \"sqlite://\"\n",
            &["names no file"],
        ),
        (
            "[default]\nbackend = \"sqlite\"\nurl = \"sqlite::memory:\"\n",
            &["in memory"],
        ),
        (
            "[default]\nbackend = \"sqlite\"\nurl = \"postgres://x\"\n",
            &["does not begin with `sqlite:`"],
        ),
        (
            "[default]\nbackend = \"sqlit\"\nurl = \"sqlite://x\"\n",
            &["`sqlit`", "did you mean `sqlite`?"],
        ),
        (
            "[default]\nbakend = \"sqlite\"\n",
            &["bakend", "did you mean `backend`?"],
        ),
        ("[default]\nbackend = 7\n", &["backend"]),
        (
            "[default]\nbackend = \"sqlite\"\nurl = \"sqlite://x\"\nsynchronous = \"ful\"\n",
            &["`ful`", "did you mean `full`?"],
        ),
        (
            "[other]\nbackend = \"dummy\"\n",
            &["the backend `default` does not exist"],
        ),
    ] {
        site.set(settings);
        let said = site.run(&COUNTS).await.exits_with(6).complains(complaints);
        assert_eq!(said.out, "", "{said:#?}");
        site.run(&["run", "--batch"])
            .await
            .exits_with(6)
            .complains(complaints);
    }
}

#[tokio::test]
async fn a_settings_file_that_is_not_there_is_6_naming_it() {
    let site = Site::new();
    let gone = site.folder().join("gone.toml");
    let gone = gone.to_str().expect("a temporary folder has a plain name");
    let said = site.run_with(&[("TASKS_CONFIG", gone)], &COUNTS, "").await;
    said.exits_with(6)
        .complains(&["cannot read the settings file", "gone.toml"]);
}

#[tokio::test]
async fn an_unknown_backend_is_6_with_the_nearest_for_every_command_that_takes_one() {
    let site = Site::new();
    for command in [
        &["run", "--batch"][..],
        &["enqueue", "conformance::nothing"],
        &["list"],
        &["show", super::NOBODY],
        &["wait", super::NOBODY],
        &["retry", super::NOBODY],
        &["cancel", super::NOBODY],
        &["prune"],
        &["counts"],
        &["workers"],
        &["migrate"],
    ] {
        let all = [command, &["--backend", "report"]].concat();
        let said = site.run(&all).await.exits_with(6);
        said.complains(&["the backend `report` does not exist", "did you mean `reports`?"]);
    }
    assert!(!site.file().exists());
}

#[tokio::test]
async fn a_backend_that_keeps_nothing_has_nothing_to_operate() {
    let site = Site::new();
    for command in [
        &["list"][..],
        &["counts"],
        &["workers"],
        &["prune"],
        &["retry", super::NOBODY],
    ] {
        let all = [command, &["--backend", "reports"]].concat();
        site.run(&all)
            .await
            .exits_with(1)
            .complains(&["not supported", "`reports` (dummy)", "hint: "]);
    }
    let said = site.run(&["run", "--backend", "reports"]).await.exits_with(1);
    said.complains(&["no worker can work on the dummy backend `reports`"]);
}

#[tokio::test]
async fn environment_twins_of_the_settings_count() {
    let site = Site::new();
    let other = [("TASKS_DEFAULT_URL", "sqlite://store/other.db")];
    site.run_with(&other, &["migrate"], "").await.exits_with(0);
    assert!(site.store().join("other.db").exists() && !site.file().exists());
    let said = site
        .run_with(&[("TASKS_DEFAULT_BACKEND", "sqlit")], &COUNTS, "")
        .await;
    said.exits_with(6).complains(&["did you mean `sqlite`?"]);
}

#[tokio::test]
async fn a_second_worker_of_one_name_is_1_while_the_first_lives() {
    let place = crate::system::Place::new().await;
    let worker = place.worker("twin", &[]);
    place.workers_join(1).await;
    let said = place.run(&["run", "--worker-id", "twin"]).await.exits_with(1);
    said.complains(&[
        "`twin` is alive already",
        &worker.pid().to_string(),
        "--worker-id",
    ]);
}
