//! Commands for where tasks are kept, on a server's database: `migrate`, `check`, and a task from end to end.

use serde_json::json;

use super::place::{KIND, NOBODY, Place};
use crate::enqueue;
use crate::system::Site;

/// A site whose tasks are kept in this place.
fn site(place: &Place) -> Site {
    with(&place.settings())
}

fn with(url_and_options: &str) -> Site {
    Site::with_settings(&format!(
        "[reports]\nbackend = \"dummy\"\nqueues = []\n\n\
         [default]\nbackend = \"{KIND}\"\nqueues = []\n{url_and_options}"
    ))
}

#[tokio::test]
async fn a_dry_run_prints_the_statements_and_changes_nothing() {
    let place = Place::new().await;
    let (site, before) = (site(&place), place.made().await);
    let said = site.run(&["migrate", "--dry-run"]).await.exits_with(0).quietly();
    assert!(
        said.out.starts_with("-- default: ") && said.out.contains("schema version 0 to "),
        "{said:#?}"
    );
    assert!(said.out.contains(place.name()), "it says where: {said:#?}");
    assert_eq!(place.made().await, before);
    let plan = site
        .run(&["migrate", "--dry-run", "--json"])
        .await
        .exits_with(0)
        .json();
    assert_eq!(
        (&plan["from"], &plan["dry_run"], &plan["kind"]),
        (&json!(0), &json!(true), &json!(KIND))
    );
    assert_eq!(place.made().await, before);

    // What was printed can be run by hand, and nothing is left to do then.
    let mut shell = place.shell().await;
    for statement in said.out.split_inclusive(";\n") {
        shell.run(statement).await;
    }
    let said = site.run(&["migrate"]).await.exits_with(0).quietly();
    assert!(said.line().ends_with("nothing to migrate"), "{said:#?}");
    site.run(&["check"]).await.exits_with(0);
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let place = Place::new().await;
    let site = site(&place);
    let said = site.run(&["migrate"]).await.exits_with(0);
    assert!(
        said.line().contains("migrated from schema version 0 to "),
        "{said:#?}"
    );
    let id = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let before = place.made().await;
    let said = site.run(&["migrate"]).await.exits_with(0).quietly();
    assert!(said.line().ends_with("nothing to migrate"), "{said:#?}");
    assert_eq!(place.made().await, before);
    site.run(&["show", &id]).await.exits_with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_migrate_an_empty_place_at_once() {
    let place = Place::new().await;
    let site = std::sync::Arc::new(site(&place));
    let mut migrating = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let site = site.clone();
        migrating.spawn(async move { site.run(&["migrate"]).await });
    }
    let mut steps_taken = 0;
    for said in migrating.join_all().await {
        let said = said.exits_with(0);
        let has_migrated = said.line().contains("migrated from schema version ");
        assert!(
            has_migrated || said.line().ends_with("nothing to migrate"),
            "{said:#?}"
        );
        steps_taken += usize::from(has_migrated);
    }
    assert!(steps_taken > 0);
    let mut outside = place.outside().await;
    assert_eq!(outside.number("SELECT count(*) FROM schema_version").await, 1);
    site.run(&["check"]).await.exits_with(0);
    enqueue(&site, "conformance::nothing", "{}", &[]).await;
}

#[tokio::test]
async fn an_older_schema_is_offered_the_migration_and_a_newer_one_refused() {
    let place = Place::new().await;
    let site = site(&place);
    let said = site.run(&["check"]).await.exits_with(7);
    said.complains(&["schema version 0", "system_worker migrate --backend default"]);
    site.run(&["migrate"]).await.exits_with(0);
    site.run(&["check"]).await.exits_with(0);

    place
        .outside()
        .await
        .run("UPDATE schema_version SET version = 4711")
        .await;
    for command in [
        &["run", "--batch"][..],
        &["enqueue", "conformance::nothing"],
        &["list"],
        &["migrate"],
        &["migrate", "--dry-run"],
        &["check"],
    ] {
        let said = site.run(command).await.exits_with(7);
        said.complains(&["schema version", "4711", place.name(), "update this program"]);
    }
    let mut outside = place.outside().await;
    assert_eq!(outside.number("SELECT version FROM schema_version").await, 4711);
}

#[tokio::test]
async fn check_prints_what_the_backend_can_do() {
    let place = Place::new().await;
    let site = site(&place);
    site.run(&["migrate"]).await.exits_with(0);
    let said = site.run(&["check"]).await.exits_with(0).quietly();
    for row in [
        ["BACKEND", "default", "reports"],
        ["kind", KIND, "dummy"],
        ["reachable", "yes", "yes"],
        ["priority", "yes", "yes"],
        ["defer", "yes", "yes"],
        ["async_task", "yes", "yes"],
        ["get_result", "yes", "no"],
        ["durable", "yes", "no"],
    ] {
        assert!(said.words().contains(&row.to_vec()), "{row:?} in {said:#?}");
    }
    let report = site.run(&["check", "--json"]).await.exits_with(0).json();
    assert_eq!(report["backends"][0]["capabilities"]["durable"], true);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_1_with_its_place_and_without_the_password() {
    let site = with(&format!("url = \"{NOBODY}\"\n"));
    for command in [&["check"][..], &["migrate"], &["enqueue", "conformance::nothing"]] {
        let said = site.run(command).await.exits_with(1);
        assert!(
            !said.err.contains("secret") && !said.out.contains("secret"),
            "{said:#?}"
        );
        said.complains(&["127.0.0.1:1", "hint: "]);
    }
}

#[tokio::test]
async fn a_task_goes_from_the_command_line_through_a_worker_to_its_result() {
    let place = Place::new().await;
    let site = site(&place);
    let id = enqueue(&site, "conformance::echo", r#"{"text": "x"}"#, &[]).await;
    site.run(&["run", "--batch"]).await.exits_with(0);
    let shown = site.run(&["show", &id, "--json"]).await.exits_with(0).json();
    assert_eq!(
        (&shown["status"], &shown["return_value"]),
        (&json!("SUCCESSFUL"), &json!("x"))
    );
    let said = site.run(&["wait", &id, "--timeout", "10s"]).await.exits_with(0);
    assert!(said.out.contains('x'), "{said:#?}");
}
