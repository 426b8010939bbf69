//! Commands that change tasks: `retry`, `cancel`, `prune`.

use serde_json::json;

use super::{NOBODY, enqueue, run_all};
use crate::system::{PATIENCE, Place, Signal, Site};

async fn status(site: &Site, id: &str) -> String {
    let task = site.run(&["show", id, "--json"]).await.exits_with(0).json();
    task["status"].as_str().expect("a status").to_owned()
}

async fn failed(site: &Site) -> String {
    let id = enqueue(site, "conformance::refuse", r#"{"reason": "no"}"#, &[]).await;
    run_all(site).await;
    id
}

#[tokio::test]
async fn retry_lets_a_failed_task_run_again_with_its_history() {
    let site = Site::new();
    let id = failed(&site).await;
    let said = site.run(&["retry", &id]).await.exits_with(0).quietly();
    assert_eq!(said.line(), format!("{id} is READY"));
    run_all(&site).await;
    let task = site.run(&["show", &id, "--json"]).await.exits_with(0).json();
    assert_eq!(
        (&task["status"], &task["attempts"]),
        (&json!("FAILED"), &json!(2))
    );
    assert_eq!(task["errors"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn retry_refuses_each_by_itself_and_the_first_refusal_decides_the_code() {
    let site = Site::new();
    let (one, other) = (failed(&site).await, failed(&site).await);
    let ready = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let said = site
        .run(&["retry", &one, &ready, NOBODY, &other])
        .await
        .exits_with(1);
    assert_eq!(
        said.lines(),
        [format!("{one} is READY"), format!("{other} is READY")]
    );
    said.complains(&["wrong state", "only a FAILED or CANCELED task", "not found"]);
    site.run(&["retry", NOBODY, &ready]).await.exits_with(3);

    let said = site.run(&["retry", "--json", &one, NOBODY]).await.exits_with(1);
    let outcome = said.json();
    assert_eq!(outcome["tasks"], json!([]));
    let refused: Vec<_> = outcome["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| &error["id"])
        .collect();
    assert_eq!(refused, [&json!(one), &json!(NOBODY)]);
    // An id that is none keeps everything from happening.
    let again = failed(&site).await;
    site.run(&["retry", &again, "not-an-id"]).await.exits_with(3);
    assert_eq!(status(&site, &again).await, "FAILED");
}

#[tokio::test]
async fn cancel_ends_a_waiting_task_at_once_and_only_once() {
    let site = Site::new();
    let (ready, later) = (
        enqueue(&site, "conformance::nothing", "{}", &[]).await,
        enqueue(&site, "conformance::nothing", "{}", &["--run-after", "1h"]).await,
    );
    let said = site
        .run(&["cancel", &ready, &later])
        .await
        .exits_with(0)
        .quietly();
    assert_eq!(
        said.lines(),
        [format!("{ready} is CANCELED"), format!("{later} is CANCELED")]
    );
    let said = site.run(&["cancel", &ready]).await.exits_with(0);
    assert_eq!(
        said.line(),
        format!("{ready} had ended already; nothing was changed")
    );
    let outcome = site
        .run(&["cancel", "--json", &ready, NOBODY])
        .await
        .exits_with(3)
        .json();
    assert_eq!(
        outcome["tasks"],
        json!([{"id": ready, "outcome": "already_finished"}])
    );
    assert_eq!(outcome["errors"][0]["id"], NOBODY);
    run_all(&site).await;
    assert_eq!(status(&site, &ready).await, "CANCELED");
}

#[tokio::test]
async fn cancel_ends_a_task_that_another_process_runs() {
    let place = Place::new().await;
    let mut worker = place.worker("worker", &[]);
    let id = place.enqueue([conformance::executions::cooperative::new()]).await[0].to_string();
    place.ledger().reaches(1).await;
    let said = place.run(&["cancel", &id]).await.exits_with(0);
    assert_eq!(said.line(), format!("{id} is running and was asked to stop"));
    place
        .run(&["wait", &id, "--timeout", "30s"])
        .await
        .exits_with(4)
        .complains(&["is CANCELED", "told to stop"]);
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}

#[tokio::test]
async fn prune_deletes_what_finished_long_enough_ago_and_nothing_else() {
    let site = Site::new();
    let failed = failed(&site).await;
    let successful = enqueue(&site, "conformance::nothing", "{}", &["--queue", "mail"]).await;
    run_all(&site).await;
    let ready = enqueue(&site, "conformance::nothing", "{}", &[]).await;

    let said = site.run(&["prune"]).await.exits_with(0).quietly();
    assert_eq!(said.line(), "deleted 0 tasks", "fourteen days are not over");
    let said = site
        .run(&["prune", "--min-age", "0s", "--dry-run"])
        .await
        .exits_with(0);
    assert_eq!(said.line(), "would delete 2 tasks");
    let document = site
        .run(&["prune", "--min-age", "0s", "--dry-run", "--json"])
        .await
        .exits_with(0)
        .json();
    assert_eq!(document, json!({"tasks": 2, "dry_run": true}));
    let said = site
        .run(&["prune", "--min-age", "0s", "--queue", "nobody's"])
        .await
        .exits_with(0);
    assert_eq!(said.line(), "deleted 0 tasks");
    let said = site
        .run(&["prune", "--min-age", "0s", "--failed-min-age", "1d"])
        .await
        .exits_with(0);
    assert_eq!(said.line(), "deleted 1 task");
    site.run(&["show", &successful]).await.exits_with(3);
    assert_eq!(status(&site, &failed).await, "FAILED");
    let document = site
        .run(&["prune", "--failed-min-age", "0s", "--json"])
        .await
        .exits_with(0)
        .json();
    assert_eq!(document, json!({"tasks": 1, "dry_run": false}));
    assert_eq!(status(&site, &ready).await, "READY");
    run_all(&site).await;
    assert_eq!(status(&site, &ready).await, "SUCCESSFUL");
}
