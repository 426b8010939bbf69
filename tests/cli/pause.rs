//! `pause`, `resume`, `paused`, and who canceled a task and why.

use serde_json::json;

use super::{enqueue, run_all};
use crate::system::Site;

async fn status(site: &Site, id: &str) -> String {
    let task = site.run(&["show", id, "--json"]).await.exits_with(0).json();
    task["status"].as_str().expect("a status").to_owned()
}

#[tokio::test]
async fn what_is_paused_is_not_run_until_it_is_resumed() {
    let site = Site::new();
    let said = site.run(&["paused"]).await.exits_with(0);
    assert_eq!(said.complains(&["hint: nothing is paused"]).out, "");
    let id = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let said = site
        .run(&["pause", "default", "--task", "app::report"])
        .await
        .exits_with(0)
        .quietly();
    assert_eq!(
        said.lines(),
        ["queue default is paused", "task app::report is paused"]
    );
    let said = site.run(&["paused"]).await.exits_with(0).quietly();
    assert_eq!(
        said.words(),
        [
            vec!["PAUSED", "NAME"],
            vec!["queue", "default"],
            vec!["task", "app::report"]
        ]
    );
    let said = site.run(&["paused", "--json"]).await.exits_with(0).json();
    assert_eq!(said, json!({"queues": ["default"], "tasks": ["app::report"]}));
    site.run(&["counts"])
        .await
        .exits_with(0)
        .complains(&["paused: queue default, task app::report"]);
    run_all(&site).await;
    assert_eq!(status(&site, &id).await, "READY");

    let said = site
        .run(&["resume", "default", "--json"])
        .await
        .exits_with(0)
        .json();
    assert_eq!(said, json!({"queues": [], "tasks": ["app::report"]}));
    run_all(&site).await;
    assert_eq!(status(&site, &id).await, "SUCCESSFUL");
    let said = site
        .run(&["resume", "--task", "app::report"])
        .await
        .exits_with(0)
        .quietly();
    assert_eq!(said.line(), "task app::report goes on");
    site.run(&["pause"]).await.exits_with(2);
}

#[tokio::test]
async fn a_task_can_be_paused_by_its_name() {
    let site = Site::new();
    let (paused, other) = (
        enqueue(&site, "conformance::nothing", "{}", &[]).await,
        enqueue(&site, "conformance::refuse", r#"{"reason": "no"}"#, &[]).await,
    );
    site.run(&["pause", "--task", "conformance::nothing"])
        .await
        .exits_with(0);
    run_all(&site).await;
    assert_eq!(status(&site, &paused).await, "READY");
    assert_eq!(status(&site, &other).await, "FAILED");
}

#[tokio::test]
async fn show_says_who_canceled_a_task_and_why() {
    let site = Site::new();
    let id = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let ask = ["cancel", &id, "--by", "ada", "--reason", "sent by mistake"];
    site.run(&ask).await.exits_with(0);
    let task = site.run(&["show", &id, "--json"]).await.exits_with(0).json();
    assert_eq!(
        task["cancel_request"],
        json!({"by": "ada", "reason": "sent by mistake"})
    );
    let shown = site.run(&["show", &id]).await.exits_with(0).quietly();
    assert!(
        shown.out.contains("ada") && shown.out.contains("sent by mistake"),
        "{}",
        shown.out
    );

    let unnamed = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    site.run(&["cancel", &unnamed]).await.exits_with(0);
    let task = site.run(&["show", &unnamed, "--json"]).await.exits_with(0).json();
    let by = task["cancel_request"]["by"].as_str().expect("somebody");
    assert!(by.contains('@'), "{by}");
    assert_eq!(task["cancel_request"].get("reason"), None);

    let other = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let long = "x".repeat(1001);
    site.run(&["cancel", &other, "--reason", &long])
        .await
        .exits_with(2)
        .complains(&["at most 1000 bytes"]);
    assert_eq!(status(&site, &other).await, "READY");
}

#[tokio::test]
async fn run_takes_limits_and_an_order_of_queues() {
    let site = Site::new();
    let id = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let all = [
        "run",
        "--batch",
        "--queue",
        "default=3,*",
        "--queue-order",
        "weighted",
        "--limit-queue",
        "default=2",
        "--limit-task",
        "conformance::nothing=1",
    ];
    site.run(&all).await.exits_with(0);
    assert_eq!(status(&site, &id).await, "SUCCESSFUL");
    for (wrong, complaint) in [
        (&["--limit-queue", "mail"][..], "`mail` has no number"),
        (&["--limit-queue", "mail=0"], "is no number of at least 1"),
        (
            &["--limit-queue", "mail=1", "--limit-queue", "mail=2"],
            "`mail` has two limits",
        ),
        (&["--queue-order", "strict"], "--queue-order needs the queues"),
        (
            &["--queue", "a=0", "--queue-order", "weighted"],
            "is none of 1 to 1000",
        ),
    ] {
        let line = [&["run", "--batch"], wrong].concat();
        site.run(&line).await.exits_with(2).complains(&[complaint]);
    }
    let line = ["run", "--batch", "--limit-task", "conformance::nothin=1"];
    let said = site.run(&line).await;
    said.complains(&[
        "no task `conformance::nothin` is registered",
        "conformance::nothing",
    ]);
    let line = ["run", "--batch", "--queue", "a", "--limit-queue", "b=1"];
    site.run(&line)
        .await
        .complains(&["does not take from the queue `b`"]);
}
