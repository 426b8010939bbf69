//! Which stream says what, and streams that nobody reads.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use super::{enqueue, run_all};
use crate::system::{PATIENCE, Place, Signal, Site, WORKER, within};

#[tokio::test]
async fn a_reader_that_went_away_is_no_failure() {
    let place = Place::new().await;
    // More than a pipe holds.
    place.enqueue_records(1_000).await;
    for arguments in [
        &["list", "--limit", "1000"][..],
        &["list", "--limit", "1000", "--json"],
        &["tasks"],
    ] {
        let mut command = place.command(WORKER);
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program is there");
        let stdout = child.stdout.take().expect("it is piped");
        if arguments == ["tasks"] {
            drop(stdout);
        } else {
            // As `head -c1` does.
            let mut first = BufReader::with_capacity(1, stdout);
            assert_eq!(first.fill_buf().expect("it can be read").len(), 1);
        }
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), said.as_ref()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[tokio::test]
async fn a_worker_whose_standard_error_nobody_reads_works_on() {
    let place = Place::new().await;
    let mut command = place.command(WORKER);
    command
        .args(["run", "-vv"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program is there");
    drop(child.stderr.take());
    place.enqueue_records(100).await;
    place.all_end().await;
    let pid = i32::try_from(child.id()).expect("a process has a number");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process has a number");
    rustix::process::kill_process(pid, Signal::TERM).expect("the process is there");
    let code = within(PATIENCE, "the end of the worker", async || {
        let ended = child.try_wait().expect("a child can be asked");
        ended.ok_or_else(|| "it runs".to_owned())
    })
    .await;
    assert_eq!(code.code(), Some(0));
    place.assert_exact(&[]).await;
}

#[tokio::test]
async fn a_worker_says_everything_on_standard_error() {
    let site = Site::new();
    enqueue(&site, "conformance::refuse", r#"{"reason": "because"}"#, &[]).await;
    let said = site
        .run(&["run", "--batch", "--worker-id", "web-1"])
        .await
        .exits_with(0);
    assert_eq!(said.out, "");
    said.complains(&[
        "worker starts worker=web-1",
        "task failed",
        "because",
        "worker ended",
    ]);
}

#[tokio::test]
async fn how_much_is_logged_can_be_chosen() {
    let site = Site::new();
    run_all(&site).await;
    let run = ["run", "--batch"];
    for (variables, flags, starts, claims) in [
        (&[][..], &[][..], true, false),
        (&[], &["-q"], false, false),
        (&[], &["-qq"], false, false),
        (&[], &["--log", "off"], false, false),
        (&[], &["--log", "warn,task_worker=info"], true, false),
        (&[], &["-v"], true, true),
        (&[("TASK_LOG", "error")], &[], false, false),
        (&[("TASK_LOG", "error")], &["--log", "debug"], true, true),
        (&[("TASK_LOG", "debug")], &["-q"], false, false),
    ] {
        enqueue(&site, "conformance::nothing", "{}", &[]).await;
        let said = site
            .run_with(variables, &[&run[..], flags].concat(), "")
            .await
            .exits_with(0);
        assert_eq!(said.err.contains("worker starts"), starts, "{flags:?}: {said:#?}");
        assert_eq!(said.err.contains("DEBUG"), claims, "{flags:?}: {said:#?}");
    }
}

#[tokio::test]
async fn nothing_is_coloured_or_cut_where_there_is_no_terminal() {
    let site = Site::new();
    let long = "q".repeat(100);
    let id = enqueue(
        &site,
        "conformance::refuse",
        r#"{"reason": "no"}"#,
        &["--queue", &long],
    )
    .await;
    let said = site.run(&["run", "--batch"]).await.exits_with(0);
    assert!(!said.err.contains('\x1b'), "{said:#?}");
    for command in [&["list"][..], &["show", &id], &["counts"]] {
        let said = site.run(command).await.exits_with(0);
        assert!(
            said.out.contains(&long) && !said.out.contains('\x1b'),
            "{said:#?}"
        );
    }
    // Unless a width is asked for.
    let said = site
        .run_with(&[("COLUMNS", "100")], &["list"], "")
        .await
        .exits_with(0);
    assert!(!said.out.contains(&long), "{said:#?}");
    assert!(
        said.lines().iter().all(|line| line.chars().count() <= 100),
        "{said:#?}"
    );
}

#[tokio::test]
async fn what_a_task_stored_cannot_steer_the_terminal() {
    let site = Site::new();
    let arguments = r#"{"reason": "\u001b[31mred\u0007\u009b2J"}"#;
    let id = enqueue(&site, "conformance::refuse", arguments, &[]).await;
    run_all(&site).await;
    for command in [&["show", &id][..], &["wait", &id], &["list"]] {
        let said = site.run(command).await;
        let all = format!("{}{}", said.out, said.err);
        assert!(!all.contains(['\x1b', '\x07', '\u{9b}']), "{all:?}");
    }
}

#[tokio::test]
async fn an_endless_standard_input_is_not_waited_for_by_those_who_do_not_read_it() {
    let site = Site::new();
    let mut command = site.command(WORKER);
    command
        .arg("counts")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program is there");
    let status = within(Duration::from_secs(20), "the end of it", async || {
        let ended = child.try_wait().expect("a child can be asked");
        ended.ok_or_else(|| "it runs".to_owned())
    })
    .await;
    assert_eq!(status.code(), Some(0));
}
