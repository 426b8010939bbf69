//! Commands that look: `list`, `show`, `wait`, `counts`, `workers`, `tasks`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use task_core::Timestamp;

use super::{NOBODY, enqueue, run_all};
use crate::system::{PATIENCE, Place, Signal, Site};

/// One task of each kind that the command line can leave behind: ids of a successful, a
/// failed, a canceled and a waiting one.
async fn one_of_each(site: &Site) -> [String; 4] {
    let successful = enqueue(
        site,
        "conformance::echo",
        r#"{"text": "x"}"#,
        &["--queue", "mail"],
    )
    .await;
    let failed = enqueue(site, "conformance::refuse", r#"{"reason": "no"}"#, &[]).await;
    run_all(site).await;
    let canceled = enqueue(site, "conformance::nothing", "{}", &["--run-after", "1d"]).await;
    site.run(&["cancel", &canceled]).await.exits_with(0);
    let ready = enqueue(site, "conformance::nothing", "{}", &["--run-after", "2h"]).await;
    [successful, failed, canceled, ready]
}

fn ids(list: &Value) -> Vec<&str> {
    let tasks = list["tasks"].as_array().expect("a list");
    tasks
        .iter()
        .map(|task| task["id"].as_str().expect("an id"))
        .collect()
}

#[tokio::test]
async fn list_shows_the_newest_first() {
    let site = Site::new();
    let [successful, failed, canceled, ready] = one_of_each(&site).await;
    let said = site.run(&["list"]).await.exits_with(0).quietly();
    let words = said.words();
    assert_eq!(words[0], ["ID", "STATUS", "TASK", "QUEUE", "AGE", "DUE"]);
    let rows: Vec<_> = words[1..].iter().map(|row| row[..4].to_vec()).collect();
    assert_eq!(
        rows,
        [
            [&*ready, "READY", "conformance::nothing", "default"],
            [&*canceled, "CANCELED", "conformance::nothing", "default"],
            [&*failed, "FAILED", "conformance::refuse", "default"],
            [&*successful, "SUCCESSFUL", "conformance::echo", "mail"],
        ]
    );
    assert_eq!(words[1][5..], ["in", "1h"], "nearly two hours");
    let list = site.run(&["list", "--json"]).await.exits_with(0).quietly().json();
    assert_eq!(ids(&list), [&*ready, &*canceled, &*failed, &*successful]);
    assert_eq!(list["next"], Value::Null);
}

#[tokio::test]
async fn list_can_be_narrowed() {
    let site = Site::new();
    let [successful, failed, canceled, ready] = one_of_each(&site).await;
    for (flags, expected) in [
        (&["--status", "failed"][..], vec![&failed]),
        (&["--status", "FAILED,canceled"], vec![&canceled, &failed]),
        (&["--status", "succeeded"], vec![&successful]),
        (&["--queue", "mail"], vec![&successful]),
        (&["--queue", "mail, default", "--status", "ready"], vec![&ready]),
        (&["--task", "conformance::nothing"], vec![&ready, &canceled]),
        (&["--task", "nobody's"], vec![]),
        (&["--queue", "*"], vec![&ready, &canceled, &failed, &successful]),
    ] {
        let all = [&["list", "--json"], flags].concat();
        assert_eq!(
            ids(&site.run(&all).await.exits_with(0).json()),
            expected,
            "{flags:?}"
        );
    }
    let said = site.run(&["list", "--task", "nobody's"]).await.exits_with(0);
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("", "hint: there is no such task\n")
    );
}

#[tokio::test]
async fn list_goes_on_where_a_page_ended_until_everything_was_shown() {
    let place = Place::new().await;
    let all: BTreeSet<String> = place
        .enqueue_records(25)
        .await
        .iter()
        .map(ToString::to_string)
        .collect();
    let (mut seen, mut pages, mut mark) = (BTreeSet::new(), 0, None::<String>);
    loop {
        let mut arguments = vec!["list", "--json", "--limit", "10"];
        if let Some(mark) = &mark {
            arguments.extend(["--after", mark]);
        }
        let list = place.run(&arguments).await.exits_with(0).json();
        let page = ids(&list);
        assert!(
            page.iter().all(|id| seen.insert((*id).to_owned())),
            "nothing is shown twice"
        );
        pages += 1;
        match list["next"].as_str() {
            Some(next) => mark = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!((pages, seen), (3, all));
    let said = place.run(&["list", "--limit", "10"]).await.exits_with(0);
    assert_eq!(said.lines().len(), 11);
    said.complains(&["hint: there are more: --after "]);
    place
        .run(&["list", "--after", "nonsense"])
        .await
        .exits_with(1)
        .complains(&["nonsense"]);
}

#[tokio::test]
async fn show_tells_everything_about_one_task() {
    let site = Site::new();
    let [successful, failed, ..] = one_of_each(&site).await;
    let said = site.run(&["show", &successful]).await.exits_with(0).quietly();
    for (label, value) in [
        ("id", successful.as_str()),
        ("task", "conformance::echo"),
        ("status", "SUCCESSFUL"),
        ("queue", "mail"),
        ("attempts", "1 of 1"),
        ("arguments", r#"{"text": "x"}"#),
        ("returned", r#""x""#),
    ] {
        let line = said
            .lines()
            .into_iter()
            .find(|line| line.split_whitespace().next() == Some(label));
        assert!(
            line.is_some_and(|line| line.ends_with(value)),
            "{label}: {value} in {said:#?}"
        );
    }
    let said = site.run(&["show", &failed]).await.exits_with(0).quietly();
    assert!(
        said.out.contains("error") && said.out.contains("\n           ") && said.out.contains("no\n"),
        "{said:#?}"
    );

    let task = site
        .run(&["show", &failed, "--json"])
        .await
        .exits_with(0)
        .quietly()
        .json();
    assert_eq!(
        (&task["status"], &task["attempts"]),
        (&json!("FAILED"), &json!(1))
    );
    let error = &task["errors"][0];
    assert_eq!(
        (&error["kind"], &error["message"], &error["attempt"]),
        (&json!("error"), &json!("no"), &json!(1))
    );
    for key in ["enqueued_at", "started_at", "last_attempted_at", "finished_at"] {
        let moment = task[key].as_str().expect("a time");
        moment.parse::<Timestamp>().expect("a time");
    }
}

#[tokio::test]
async fn show_has_a_due_time_exactly_where_the_task_has_one() {
    let site = Site::new();
    let at = ["--run-after", "2100-01-31T08:00:00Z"];
    let later = enqueue(&site, "conformance::nothing", "{}", &at).await;
    let now = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let overdue = ["--run-after", "2000-01-31T08:00:00Z"];
    let overdue = enqueue(&site, "conformance::nothing", "{}", &overdue).await;
    for (id, due) in [
        (&later, json!("2100-01-31T08:00:00Z")),
        (&now, json!(null)),
        (&overdue, json!(null)),
    ] {
        let task = site.run(&["show", id, "--json"]).await.exits_with(0).json();
        assert_eq!(task["run_after"], due);
        let said = site.run(&["show", id]).await.exits_with(0);
        assert_eq!(said.out.contains("2100-01-31"), !due.is_null(), "{said:#?}");
    }
}

#[tokio::test]
async fn ids_are_read_in_every_form_and_unknown_ones_are_3() {
    let site = Site::new();
    let id = enqueue(&site, "conformance::nothing", "{}", &[]).await;
    for form in [id.to_uppercase(), id.replace('-', ""), format!(" {id} ")] {
        assert_eq!(
            site.run(&["show", &form, "--json"]).await.exits_with(0).json()["id"],
            *id
        );
    }
    for command in ["show", "wait", "retry", "cancel"] {
        site.run(&[command, NOBODY])
            .await
            .exits_with(3)
            .complains(&["not found", NOBODY]);
        for wrong in ["", "7", "not-an-id", &id[1..]] {
            site.run(&[command, wrong])
                .await
                .exits_with(3)
                .complains(&["is not a task id", "hint: "]);
        }
    }
}

#[tokio::test]
async fn wait_prints_what_the_task_returned() {
    let site = Site::new();
    let [successful, failed, canceled, ready] = one_of_each(&site).await;
    let said = site.run(&["wait", &successful]).await.exits_with(0).quietly();
    assert_eq!(said.line(), r#""x""#);
    let said = site
        .run(&["wait", &failed])
        .await
        .exits_with(4)
        .complains(&["is FAILED", "no"]);
    assert_eq!(said.out, "");
    site.run(&["wait", &canceled])
        .await
        .exits_with(4)
        .complains(&["is CANCELED"]);
    let said = site.run(&["wait", &ready, "--timeout", "50ms"]).await;
    said.exits_with(5).complains(&["timed out", "still READY"]);

    let task = site
        .run(&["wait", &successful, "--json"])
        .await
        .exits_with(0)
        .json();
    assert_eq!(
        (&task["id"], &task["return_value"]),
        (&json!(successful), &json!("x"))
    );
    let task = site.run(&["wait", &failed, "--json"]).await.exits_with(4).json();
    assert_eq!(task["status"], "FAILED");
}

#[tokio::test]
async fn wait_waits_for_a_task_that_another_process_runs() {
    let place = Place::new().await;
    let id = place
        .enqueue([conformance::executions::gated::new(1, "end")])
        .await[0]
        .to_string();
    let worker = place.worker("worker", &[]);
    place.ledger().reaches(1).await;
    let arguments = ["wait", &id, "--timeout", "60s"];
    let waiting = place.run(&arguments);
    place.open_gate("end", None);
    let said = waiting.await.exits_with(0);
    assert_eq!(said.line(), worker.pid().to_string());
}

#[tokio::test]
async fn counts_has_a_row_for_each_queue_and_the_sum() {
    let site = Site::new();
    let said = site
        .run(&["counts"])
        .await
        .exits_with(0)
        .complains(&["hint: there is no task"]);
    assert_eq!(said.out, "");
    assert_eq!(
        site.run(&["counts", "--json"]).await.exits_with(0).json(),
        json!([])
    );
    one_of_each(&site).await;
    let said = site.run(&["counts"]).await.exits_with(0).quietly();
    assert_eq!(
        said.words(),
        [
            [
                "QUEUE",
                "WAITING",
                "READY",
                "RUNNING",
                "SUCCESSFUL",
                "FAILED",
                "CANCELED",
                "ALL"
            ],
            ["default", "0", "1", "0", "0", "1", "1", "3"],
            ["mail", "0", "0", "0", "1", "0", "0", "1"],
            ["(all)", "0", "1", "0", "1", "1", "1", "4"],
        ]
    );
    let counts = site
        .run(&["counts", "--json"])
        .await
        .exits_with(0)
        .quietly()
        .json();
    let row = json!({"queue": "mail", "status": "SUCCESSFUL", "tasks": 1});
    assert!(
        counts
            .as_array()
            .is_some_and(|rows| rows.len() == 4 && rows.contains(&row)),
        "{counts}"
    );
}

#[tokio::test]
async fn workers_are_listed_while_they_live() {
    let place = Place::new().await;
    place
        .run(&["workers"])
        .await
        .exits_with(0)
        .complains(&["hint: there is no worker"]);
    let mut worker = place.worker("web-1", &["--queue", "mail, default", "--concurrency", "7"]);
    place.workers_join(1).await;
    let said = place.run(&["workers"]).await.exits_with(0).quietly();
    let words = said.words();
    assert_eq!(words[0][..4], ["WORKER", "HOST", "PID", "QUEUES"]);
    assert_eq!(
        (words[1][0], words[1][2]),
        ("web-1", worker.pid().to_string().as_str())
    );
    assert_eq!((words[1][3], words[1][5]), ("default,mail", "7"));
    assert!(said.out.ends_with("s left\n"), "{said:#?}");
    let workers = place
        .run(&["workers", "--json"])
        .await
        .exits_with(0)
        .quietly()
        .json();
    let [web] = workers.as_array().expect("a list").as_slice() else {
        panic!("one worker: {workers}");
    };
    assert_eq!((&web["id"], &web["pid"]), (&json!("web-1"), &json!(worker.pid())));
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    assert_eq!(
        place.run(&["workers", "--json"]).await.exits_with(0).json(),
        json!([])
    );
}

#[tokio::test]
async fn tasks_are_listed_without_settings_and_without_a_store() {
    let site = Site::with_settings("this is not TOML");
    let said = site.run(&["tasks"]).await.exits_with(0).quietly();
    assert_eq!(
        said.words()[0],
        ["TASK", "QUEUE", "PRIORITY", "KIND", "ATTEMPTS", "TIMEOUT"]
    );
    for (name, row) in [
        ("conformance::add", &["sums", "7", "async", "4", "-"][..]),
        ("conformance::oversleep", &["default", "0", "async", "1", "20ms"]),
        (
            "conformance::gated_thread",
            &["default", "0", "blocking", "1", "-"],
        ),
    ] {
        let words = said.words();
        let found = words.iter().find(|words| words.first() == Some(&name));
        assert_eq!(found.map(|words| &words[1..]), Some(row), "{name}");
    }
    assert!(said.out.contains("also known as conformance::formerly") && said.out.contains("backend reports"));
    assert!(
        said.out
            .contains("    Adds two numbers, with options of its own.\n")
    );
    let tasks = site
        .run(&["tasks", "--json"])
        .await
        .exits_with(0)
        .quietly()
        .json();
    let tasks = tasks.as_array().expect("a list");
    let add = tasks
        .iter()
        .find(|task| task["name"] == "conformance::add")
        .expect("it is registered");
    assert_eq!(
        (&add["queue"], &add["priority"], &add["crate"]),
        (&json!("sums"), &json!(7), &json!("conformance"))
    );
    assert!(!site.file().exists());
}
