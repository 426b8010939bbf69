//! A kind of backend that a crate of the program registered.

use crate::system::{Said, Site, said_by};

async fn run(site: &Site, arguments: &[&str]) -> Said {
    let mut command = site.command(env!("CARGO_BIN_EXE_pretending_worker"));
    command.args(arguments);
    said_by(command, "").await
}

const SETTINGS: &str = "[default]\nbackend = \"pretend\"\nqueues = []\n[default.options]\nsleepy = true\n";

#[tokio::test]
async fn every_command_finds_it_by_its_name_with_its_options() {
    let site = Site::with_settings(SETTINGS);
    for arguments in [
        &["counts"][..],
        &["run", "--batch"],
        &["enqueue", "conformance::nothing"],
    ] {
        let said = run(&site, arguments).await;
        said.exits_with(0).complains(&["default is sleepy"]);
    }
}

#[tokio::test]
async fn check_lists_the_kinds_a_program_has() {
    let site = Site::with_settings(SETTINGS);
    let said = run(&site, &["check"]).await;
    assert!(
        said.out
            .contains("dummy, immediate, mysql, postgres, pretend, redis, sqlite"),
        "{said:#?}"
    );
    let said = run(&site, &["check", "--json"]).await;
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(
        document["kinds"],
        serde_json::json!([
            "dummy",
            "immediate",
            "mysql",
            "postgres",
            "pretend",
            "redis",
            "sqlite"
        ])
    );
    assert_eq!(document["backends"][0]["kind"], "pretend");
    assert_eq!(document["backends"][0]["reachable"], true);
}

#[tokio::test]
async fn its_mistakes_are_6_with_place_and_hint() {
    for (settings, complaints) in [
        (
            "[default]\nbackend = \"pretnd\"\n",
            ["did you mean `pretend`?", "tasks.toml:2"],
        ),
        (
            "[default]\nbackend = \"pretend\"\n[default.options]\nsleppy = true\n",
            ["did you mean `sleepy`?", "tasks.toml:4"],
        ),
        (
            "[default]\nbackend = \"pretend\"\n[default.options]\nsleepy = 7\n",
            ["`sleepy` cannot be read", "tasks.toml:4"],
        ),
    ] {
        let site = Site::with_settings(settings);
        run(&site, &["counts"]).await.exits_with(6).complains(&complaints);
    }
}
