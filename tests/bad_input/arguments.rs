//! Arguments that cannot be: too long, too deep, no text. Wrong JSON, wrong types and unknown
//! tasks are in `cli/enqueue.rs`.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::system::{Said, Site, WORKER, within};
use crate::{accepted, all_run};

/// What a process may need at most, in KiB: far less than what it is sent.
const MOST_MEMORY: u64 = 64 * 1024;

/// The limit of arguments, unless the settings say otherwise.
const LIMIT: usize = 1 << 20;

/// What the system keeps of a pipe that nobody has read yet, at most.
const PIPE: usize = 1 << 20;

/// The most memory that a process has used so far, in KiB; `None` when it has ended.
fn peak_memory(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Enqueues with arguments from standard input that are no text everywhere.
async fn piped(site: &Site, name: &str, input: &[u8]) -> Said {
    let file = site.folder().join("input");
    std::fs::write(&file, input).expect("the folder can be written to");
    let mut command = Command::new("sh");
    let worker = site.command(WORKER);
    command
        .args(["-c", &format!("exec \"$0\" enqueue {name} - < input"), WORKER])
        .current_dir(site.folder())
        .env_clear()
        .envs(worker.get_envs().filter_map(|(key, value)| Some((key, value?))));
    crate::system::said_by(command, "").await
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_after_the_limit_and_without_the_memory() {
    let (site, ids) = accepted(10).await;
    let mut command = site.command(WORKER);
    command
        .args(["enqueue", "conformance::echo", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().expect("the program is there");
    let mut stdin = child.stdin.take().expect("it is piped");
    let (piece, mut sent, mut peak) = ([b'x'; 4096], 0, 0);
    stdin.write_all(b"{\"text\": \"").expect("it reads");
    while sent < 100 << 20 && stdin.write_all(&piece).is_ok() {
        sent += piece.len();
        peak = peak.max(peak_memory(&child).unwrap_or(0));
    }
    drop(stdin);
    within(Duration::from_secs(20), "the refusal", async || {
        peak = peak.max(peak_memory(&child).unwrap_or(0));
        let ended = child.try_wait().expect("a child can be asked");
        ended.ok_or_else(|| format!("it runs since {:?}", began.elapsed()))
    })
    .await;
    let output = child.wait_with_output().expect("its output can be read");
    let said = String::from_utf8(output.stderr).expect("programs say text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["too large", "the limit of 1048576 bytes", "max_arguments_bytes"] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert!(sent <= LIMIT + PIPE, "it read on: {sent} bytes");
    assert!((1..MOST_MEMORY).contains(&peak), "{peak} KiB");
    all_run(site, &ids).await;
}

#[tokio::test]
async fn arguments_of_exactly_the_limit_may_have_an_end_of_line_on_standard_input() {
    let site = Site::new();
    let frame = "{\"text\": \"\"}".len();
    let text = format!("{{\"text\": \"{}\"}}\n", "x".repeat(LIMIT - frame));
    piped(&site, "conformance::echo", text.as_bytes())
        .await
        .exits_with(0);
    let longer = format!("{{\"text\": \"{}\"}}\n", "x".repeat(LIMIT - frame + 1));
    let said = piped(&site, "conformance::echo", longer.as_bytes())
        .await
        .exits_with(1);
    said.complains(&["too large", "1048577 bytes", "the limit is 1048576"]);
}

#[tokio::test]
async fn nesting_without_end_is_refused_as_what_it_is() {
    let (site, ids) = accepted(10).await;
    let deep = format!("{{\"text\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let open = "[".repeat(10_000);
    for (arguments, complaint) in [
        (&deep, "`conformance::echo` is more than 100 levels deep"),
        (&open, "the arguments are not JSON"),
    ] {
        let said = site.run(&["enqueue", "conformance::echo", arguments]).await;
        said.exits_with(1).complains(&[complaint]);
        let said = piped(&site, "conformance::echo", arguments.as_bytes()).await;
        said.exits_with(1).complains(&[complaint]);
    }
    all_run(site, &ids).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_with_their_place() {
    let (site, ids) = accepted(10).await;
    let said = piped(&site, "conformance::echo", b"{\"text\": \"caf\xe9\"}").await;
    said.exits_with(1).complains(&["not UTF-8 from byte 13 on"]);
    let said = piped(&site, "conformance::echo", &[0xff; 4096]).await;
    said.exits_with(1).complains(&["not UTF-8 from byte 0 on"]);
    all_run(site, &ids).await;
}

#[tokio::test]
async fn a_standard_input_that_cannot_be_read_is_said_so() {
    let site = Site::new();
    let mut command = site.command("sh");
    command.args(["-c", "exec \"$0\" enqueue conformance::echo - < store", WORKER]);
    let said = crate::system::said_by(command, "").await.exits_with(1);
    said.complains(&["standard input cannot be read"]);
}
