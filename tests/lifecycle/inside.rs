//! The example of an application with its worker inside.

use std::io::Write as _;
use std::process::Stdio;

use crate::system::{PATIENCE, Signal, Site, said_by};

const PROGRAM: &str = env!("CARGO_BIN_EXE_in_process");

#[tokio::test(flavor = "multi_thread")]
async fn an_application_with_its_worker_inside_answers_and_ends_with_its_input() {
    let site = Site::new();
    let said = said_by(site.command(PROGRAM), "Ada wrote\nno bugs\n").await;
    let said = said.exits_with(0);
    assert_eq!(
        said.lines(),
        ["adA etorw", "on sgub", "4 succeeded, the worker is ended"],
        "{said:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_with_its_worker_inside_stops_at_a_signal_and_lets_tasks_end() {
    let site = Site::new();
    let mut command = site.command(PROGRAM);
    let log = site.folder().join("inside");
    // Its input stays open.
    command
        .stdin(Stdio::piped())
        .stdout(std::fs::File::create(&log).expect("writable"));
    let mut child = command.spawn().expect("the program is there");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"level\n").expect("it reads");
    crate::system::eventually("its answer", async || {
        let said = std::fs::read_to_string(&log).expect("readable");
        if said.contains("level") { Ok(()) } else { Err(said) }
    })
    .await;
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a number"), Signal::TERM).expect("it runs");
    let ended = crate::system::within(PATIENCE, "its end", async || {
        child
            .try_wait()
            .expect("a child")
            .ok_or_else(|| "it runs".to_owned())
    })
    .await;
    assert_eq!(ended.code(), Some(0));
    let said = std::fs::read_to_string(&log).expect("readable");
    assert!(
        said.ends_with("asked to stop\n1 succeeded, the worker is ended\n"),
        "{said}"
    );
}
