//! What can be typed, and what cannot: exit code 2.

use super::{enqueue, run_all};
use crate::system::Site;

#[tokio::test]
async fn help_and_version_are_0_on_standard_output() {
    let site = Site::with_settings("this is not TOML");
    let said = site.run(&["--help"]).await.exits_with(0).quietly();
    for line in [
        "Exit codes:",
        "  7  the stored data has another schema version",
        "  run ",
        "  check ",
    ] {
        assert!(said.out.contains(line), "{line}");
    }
    assert!(
        said.lines().iter().all(|line| line.chars().count() <= 110),
        "{said:#?}"
    );
    for command in [
        "run",
        "tasks",
        "enqueue",
        "show",
        "list",
        "wait",
        "retry",
        "cancel",
        "prune",
        "migrate",
        "check",
        "counts",
        "workers",
        "schedules",
        "completions",
        "man",
    ] {
        let said = site.run(&[command, "--help"]).await.exits_with(0).quietly();
        assert!(said.out.contains("Usage:"), "{said:#?}");
    }
    let said = site.run(&["--version"]).await.exits_with(0).quietly();
    assert!(
        said.out.ends_with(&format!("{}\n", env!("CARGO_PKG_VERSION"))),
        "{said:#?}"
    );
}

#[tokio::test]
async fn help_does_not_show_what_is_in_the_environment() {
    let site = Site::new();
    let said = site
        .run_with(&[("TASK_QUEUE", "a-secret")], &["run", "--help"], "")
        .await
        .exits_with(0);
    assert!(
        said.out.contains("TASK_QUEUE") && !said.out.contains("a-secret"),
        "{said:#?}"
    );
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_2() {
    let site = Site::new();
    for arguments in [
        &[][..],
        &["rnu"],
        &["run", "--concurency", "3"],
        &["run", "extra"],
        &["enqueue"],
        &["enqueue", "conformance::nothing", "{}", "extra"],
        &["show"],
        &["show", "one", "two"],
        &["wait"],
        &["retry"],
        &["cancel"],
        &["run", "--json"],
        &["-v", "-q", "tasks"],
        &["-v", "--log", "info", "tasks"],
    ] {
        let said = site.run(arguments).await.exits_with(2);
        assert!(said.out.is_empty() && !said.err.is_empty(), "{said:#?}");
    }
    site.run(&["enqueu"])
        .await
        .complains(&["unrecognized subcommand 'enqueu'", "'enqueue'"]);
    site.run(&["run", "--concurency", "3"])
        .await
        .complains(&["--concurrency"]);
    assert!(!site.file().exists());
}

#[tokio::test]
async fn values_out_of_range_are_2_and_are_named() {
    let site = Site::new();
    let long = "w".repeat(65);
    for (command, flag, values) in [
        ("run", "--concurrency", &["0", "-1", "100001", "many", ""][..]),
        ("run", "--prefetch", &["-1", "1000001"]),
        ("run", "--lease", &["30", "999ms", "0s", "-5s", "soon", "1 month"]),
        ("run", "--interval", &["0ms", "5", "999us"]),
        ("run", "--stop-timeout", &["-1s", "1y", "30"]),
        ("run", "--max-tasks", &["0", "-1", "1.5"]),
        ("run", "--worker-id", &["", &long, "a\nb"]),
        ("run", "--queue", &["", ",", "a\tb\u{7}"]),
        ("run", "--log", &["debgu", "", "app"]),
        ("list", "--limit", &["0", "1001"]),
        ("list", "--status", &["sucessful", ""]),
        ("prune", "--min-age", &["14", "-1d", "1 month"]),
        ("prune", "--failed-min-age", &["x"]),
    ] {
        for value in values {
            let said = site
                .run(&[command, &format!("{flag}={value}")])
                .await
                .exits_with(2);
            said.complains(&[flag]);
        }
    }
    for (flag, values) in [
        ("--priority", &["101", "-101", "high"][..]),
        ("--max-attempts", &["0", "1000001"]),
        ("--run-after", &["tomorrow", "2030-01-31T08:00:00", "5"]),
    ] {
        for value in values {
            let flag_and_value = format!("{flag}={value}");
            let said = site
                .run(&["enqueue", "conformance::nothing", "{}", &flag_and_value])
                .await;
            said.exits_with(2).complains(&[flag]);
        }
    }
    site.run(&["wait", super::NOBODY, "--timeout", "5"])
        .await
        .exits_with(2)
        .complains(&["no unit", "5s"]);
    let both = ["run", "--queue", "mail", "--exclude-queues", "spam"];
    site.run(&both)
        .await
        .exits_with(2)
        .complains(&["--exclude-queues"]);
    assert!(!site.file().exists());
}

#[tokio::test]
async fn a_wrong_value_in_the_environment_is_2_and_names_the_variable() {
    let site = Site::new();
    for (variable, value, arguments) in [
        ("TASK_CONCURRENCY", "0", &["run", "--batch"][..]),
        ("TASK_LEASE", "30", &["run", "--batch"]),
        ("TASK_BATCH", "perhaps", &["run"]),
        ("TASK_MAX_TASKS", "none", &["run", "--batch"]),
        ("TASK_LOG", "loud", &["run", "--batch"]),
        ("TASK_JSON", "perhaps", &["counts"]),
        ("TASK_LIST_LIMIT", "0", &["list"]),
        (
            "TASK_ENQUEUE_PRIORITY",
            "101",
            &["enqueue", "conformance::nothing"],
        ),
    ] {
        let said = site.run_with(&[(variable, value)], arguments, "").await;
        said.exits_with(2).complains(&[variable]);
    }
}

#[tokio::test]
async fn environment_twins_count_and_flags_win_over_them() {
    let site = Site::new();
    let (mail, spam) = (
        enqueue(&site, "conformance::nothing", "{}", &["--queue", "mail"]).await,
        enqueue(&site, "conformance::nothing", "{}", &["--queue", "spam"]).await,
    );
    let batch = [
        ("TASK_QUEUE", "mail"),
        ("TASK_BATCH", "yes"),
        ("TASK_WORKER_ID", "from-outside"),
    ];
    let said = site.run_with(&batch, &["run"], "").await.exits_with(0);
    said.complains(&["worker=from-outside", "queues=mail"]);
    let status = async |id: &str| site.run(&["show", id, "--json"]).await.json()["status"].clone();
    assert_eq!(
        (status(&mail).await, status(&spam).await),
        ("SUCCESSFUL".into(), "READY".into())
    );
    let said = site
        .run_with(&batch, &["run", "--queue", "spam", "--worker-id", "typed"], "")
        .await
        .exits_with(0);
    said.complains(&["worker=typed", "queues=spam"]);
    assert_eq!(status(&spam).await, "SUCCESSFUL");

    let counts = site
        .run_with(&[("TASK_JSON", "1")], &["counts"], "")
        .await
        .exits_with(0)
        .json();
    assert_eq!(counts.as_array().map(Vec::len), Some(2));
    // The twin of another command's flag has another name.
    let said = site
        .run_with(&[("TASK_QUEUE", "mail")], &["prune", "--min-age", "0s"], "")
        .await
        .exits_with(0);
    assert_eq!(said.line(), "deleted 2 tasks");
}

#[tokio::test]
async fn a_misspelt_variable_is_warned_about_and_others_are_not() {
    let site = Site::new();
    run_all(&site).await;
    let said = site
        .run_with(&[("TASK_CONCURENCY", "5")], &["run", "--batch"], "")
        .await
        .exits_with(0);
    said.complains(&["TASK_CONCURENCY means nothing here, did you mean TASK_CONCURRENCY?"]);
    let said = site
        .run_with(&[("TASK_SOMETHING_ELSE", "5")], &["counts"], "")
        .await
        .exits_with(0);
    assert!(!said.err.contains("TASK_SOMETHING_ELSE"), "{said:#?}");
}

#[tokio::test]
async fn queues_can_be_left_out() {
    let site = Site::new();
    for queue in ["mail", "spam", "default"] {
        enqueue(&site, "conformance::nothing", "{}", &["--queue", queue]).await;
    }
    let said = site
        .run(&["run", "--batch", "--exclude-queues", "spam, default"])
        .await
        .exits_with(0);
    said.complains(&["queues=* except default,spam"]);
    let ready = site.run(&["list", "--status", "ready", "--json"]).await.json();
    assert_eq!(ready["tasks"].as_array().map(Vec::len), Some(2));
}
