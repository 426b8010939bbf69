//! `enqueue`.

use serde_json::{Value, json};
use task_core::{TaskId, Timestamp};

use super::enqueue;
use crate::system::Site;

async fn show(site: &Site, id: &str) -> Value {
    site.run(&["show", id, "--json"])
        .await
        .exits_with(0)
        .quietly()
        .json()
}

/// The number of tasks that are stored.
async fn stored(site: &Site) -> usize {
    let list = site.run(&["list", "--json"]).await.exits_with(0).json();
    list["tasks"].as_array().expect("a list").len()
}

#[tokio::test]
async fn only_the_id_is_printed_and_the_hint_can_be_typed() {
    let site = Site::new();
    let said = site
        .run(&["enqueue", "conformance::echo", r#"{"text": "x"}"#])
        .await
        .exits_with(0);
    let id: TaskId = said.line().parse().expect("an id");
    let said = said.complains(&[&format!("hint: system_worker show {id}\n")]);
    assert_eq!(said.out, format!("{id}\n"));

    let quiet = ["-q", "enqueue", "conformance::echo", r#"{"text": "x"}"#];
    site.run(&quiet).await.exits_with(0).quietly();
}

#[tokio::test]
async fn json_is_the_whole_task() {
    let site = Site::new();
    site.run(&["migrate"]).await.exits_with(0);
    let said = site
        .run(&["enqueue", "conformance::echo", r#"{"text": "x"}"#, "--json"])
        .await;
    let task = said.exits_with(0).quietly().json();
    assert_eq!(task["name"], "conformance::echo");
    assert_eq!(task["status"], "READY");
    assert_eq!(task["arguments"], json!({"text": "x"}));
    assert_eq!((&task["attempts"], &task["max_attempts"]), (&json!(0), &json!(1)));
    assert_eq!(task["return_value"], Value::Null);
    let id = task["id"].as_str().expect("an id");
    assert_eq!(show(&site, id).await, task);
}

#[tokio::test]
async fn what_the_task_was_defined_with_holds_unless_a_flag_says_otherwise() {
    let site = Site::new();
    let own = enqueue(&site, "conformance::add", r#"{"left": 1, "right": 2}"#, &[]).await;
    let own = show(&site, &own).await;
    assert_eq!(
        (&own["queue"], &own["priority"], &own["max_attempts"]),
        (&json!("sums"), &json!(7), &json!(4))
    );
    let flags = [
        "--queue",
        "other",
        "--priority",
        "-5",
        "--max-attempts",
        "9",
        "--run-after",
        "1h",
    ];
    let told = enqueue(&site, "conformance::add", r#"{"left": 1, "right": 2}"#, &flags).await;
    let told = show(&site, &told).await;
    assert_eq!(
        (&told["queue"], &told["priority"], &told["max_attempts"]),
        (&json!("other"), &json!(-5), &json!(9))
    );
    let moment = |key: &str| -> Timestamp { told[key].as_str().expect("a time").parse().expect("a time") };
    let later = moment("run_after").duration_since(moment("enqueued_at"));
    assert_eq!(later.as_secs(), 3_600);
}

#[tokio::test]
async fn a_due_time_may_be_a_moment_with_its_offset() {
    let site = Site::new();
    for (moment, utc) in [
        ("2100-01-31T08:00:00Z", "2100-01-31T08:00:00Z"),
        ("2100-01-31T08:00:00+02:00", "2100-01-31T06:00:00Z"),
    ] {
        let id = enqueue(&site, "conformance::nothing", "{}", &["--run-after", moment]).await;
        assert_eq!(show(&site, &id).await["run_after"], utc);
    }
}

#[tokio::test]
async fn arguments_may_be_left_out_and_may_come_from_standard_input() {
    let site = Site::new();
    let id = site
        .run(&["enqueue", "conformance::nothing"])
        .await
        .exits_with(0)
        .line()
        .to_owned();
    assert_eq!(show(&site, &id).await["arguments"], json!({}));
    let piped = site
        .run_with(
            &[],
            &["enqueue", "conformance::echo", "-"],
            "{\"text\": \"pi\\nped\"}\n",
        )
        .await;
    let id = piped.exits_with(0).line().to_owned();
    assert_eq!(show(&site, &id).await["arguments"], json!({"text": "pi\nped"}));
}

#[tokio::test]
async fn a_task_has_its_present_name_under_whichever_it_is_enqueued() {
    let site = Site::new();
    let id = enqueue(&site, "conformance::formerly", r#"{"text": "x"}"#, &[]).await;
    assert_eq!(show(&site, &id).await["name"], "conformance::renamed");
}

#[tokio::test]
async fn wrong_names_and_arguments_are_refused_and_nothing_is_stored() {
    let site = Site::new();
    for (name, arguments, code, complaints) in [
        (
            "conformance::ecko",
            r#"{"text": "x"}"#,
            6,
            &["did you mean `conformance::echo`?"][..],
        ),
        ("", "{}", 6, &["no task `` is registered"]),
        (
            "conformance::echo",
            "{",
            1,
            &["not JSON", "hint: write the parameters by name"],
        ),
        ("conformance::echo", "", 1, &["not JSON"]),
        ("conformance::echo", r#"["x"]"#, 1, &["not an object"]),
        ("conformance::echo", "null", 1, &["not an object"]),
        (
            "conformance::echo",
            "{}",
            1,
            &["`conformance::echo` cannot be called", "missing field `text`"],
        ),
        ("conformance::echo", r#"{"text": 7}"#, 1, &["invalid type"]),
        (
            "conformance::add",
            r#"{"left": 1, "right": 1.5}"#,
            1,
            &["invalid type"],
        ),
    ] {
        let said = site
            .run(&["enqueue", name, arguments])
            .await
            .exits_with(code)
            .complains(complaints);
        assert_eq!(said.out, "", "{said:#?}");
    }
    let said = site
        .run_with(&[], &["enqueue", "conformance::echo", "-"], "{\"text\"")
        .await;
    said.exits_with(1).complains(&["not JSON"]);
    assert_eq!(stored(&site).await, 0);
}

#[tokio::test]
async fn a_queue_the_backend_does_not_list_is_refused_with_the_nearest() {
    let site = Site::with_settings(
        "[default]\nbackend = \"sqlite\"\nurl = \"sqlite://store/tasks.db\"\nqueues = [\"default\", \"special\"]\n",
    );
    let said = site
        .run(&["enqueue", "conformance::nothing", "--queue", "specail"])
        .await;
    said.exits_with(1).complains(&[
        "queue `specail`",
        "did you mean `special`?",
        "conformance::nothing",
    ]);
    for wrong in ["", "a,b", "*", " blank"] {
        site.run(&["enqueue", "conformance::nothing", "--queue", wrong])
            .await
            .exits_with(1);
    }
    assert_eq!(stored(&site).await, 0);
    enqueue(&site, "conformance::nothing", "{}", &["--queue", "special"]).await;
    assert_eq!(stored(&site).await, 1);
}

#[tokio::test]
async fn arguments_over_the_limit_are_refused_with_the_limit() {
    let site = Site::with_settings(
        "[default]\nbackend = \"sqlite\"\nurl = \"sqlite://store/tasks.db\"\nmax_arguments_bytes = 40\n",
    );
    let fits = json!({ "text": "x".repeat(29) }).to_string();
    assert_eq!(fits.len(), 40);
    enqueue(&site, "conformance::echo", &fits, &[]).await;
    let larger = json!({ "text": "x".repeat(30) }).to_string();
    let said = site
        .run(&["enqueue", "conformance::echo", &larger])
        .await
        .exits_with(1);
    said.complains(&["too large", "41 bytes", "the limit is 40", "max_arguments_bytes"]);
    assert_eq!(stored(&site).await, 1);
}

#[tokio::test]
async fn the_immediate_backend_has_run_it_when_the_command_ends_and_a_failure_is_no_error() {
    let site = Site::with_settings("[default]\nbackend = \"immediate\"\nqueues = []\n");
    let said = site
        .run(&["enqueue", "conformance::echo", r#"{"text": "x"}"#])
        .await
        .exits_with(0);
    said.complains(&["SUCCESSFUL", "\"x\""]);
    let said = site
        .run(&["enqueue", "conformance::refuse", r#"{"reason": "no"}"#])
        .await
        .exits_with(0);
    said.complains(&["FAILED", "no"]);
    let said = site
        .run(&["enqueue", "conformance::refuse", r#"{"reason": "no"}"#, "--json"])
        .await;
    assert_eq!(said.exits_with(0).json()["status"], "FAILED");
}

#[tokio::test]
async fn another_backend_is_used_where_the_task_or_a_flag_names_it() {
    let site = Site::new();
    let said = site
        .run(&["enqueue", "conformance::report", r#"{"text": "x"}"#])
        .await
        .exits_with(0);
    said.complains(&["dummy backend"]);
    let said = site
        .run(&[
            "enqueue",
            "conformance::report",
            r#"{"text": "x"}"#,
            "--backend",
            "default",
        ])
        .await;
    said.exits_with(0);
    assert_eq!(stored(&site).await, 1);
    let said = site
        .run(&["enqueue", "conformance::nothing", "--backend", "defualt"])
        .await;
    said.exits_with(6)
        .complains(&["the backend `defualt` does not exist", "did you mean `default`?"]);
}
