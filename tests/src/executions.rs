//! Tasks that leave a trace outside the store: what the tests with real processes run.
//!
//! Each execution is one line in a ledger, written with one call, so that lines can be
//! counted exactly after any process was killed at any moment.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use task_core::{TaskContext, TaskId, task};

/// The environment variable that names the folder in which a test and its processes meet.
pub const FOLDER: &str = "SYSTEM_TEST_FOLDER";

/// The length of a line of the ledger, with its end.
pub const LINE_BYTES: usize = 36 + 1 + 10 + 1 + 10 + 1 + 16 + 1;

/// How often a waiting task looks at its gate.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The ledger in this folder.
pub fn ledger_in(folder: &Path) -> PathBuf {
    folder.join("ledger")
}

/// The file that opens this gate for everybody, or for one process alone.
pub fn gate_in(folder: &Path, gate: &str, pid: Option<u32>) -> PathBuf {
    let mut name = format!("gate-{gate}");
    if let Some(pid) = pid {
        name.push_str(&format!("-{pid}"));
    }
    folder.join(name)
}

/// Writes down that this attempt began, and returns the process it began in.
fn begin(context: &TaskContext, number: u32) -> io::Result<u32> {
    let (id, pid): (TaskId, u32) = (context.task_id(), std::process::id());
    let line = format!("{id} {number:>10} {pid:>10} {:>16}\n", now());
    debug_assert_eq!(line.len(), LINE_BYTES);
    let mut ledger = ledger()?;
    let written = ledger.write(line.as_bytes())?;
    if written == line.len() {
        Ok(pid)
    } else {
        Err(io::Error::other("a line of the ledger was cut"))
    }
}

/// Microseconds since 1970 by the clock that all processes of the machine share.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The ledger of this process.
fn ledger() -> io::Result<&'static File> {
    static LEDGER: OnceLock<File> = OnceLock::new();
    if let Some(ledger) = LEDGER.get() {
        return Ok(ledger);
    }
    let path = ledger_in(&folder()?);
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    Ok(LEDGER.get_or_init(|| file))
}

fn folder() -> io::Result<PathBuf> {
    let folder = std::env::var_os(FOLDER);
    folder
        .map(PathBuf::from)
        .ok_or_else(|| io::Error::other(format!("{FOLDER} is not set")))
}

fn is_open(gate: &str) -> io::Result<bool> {
    let folder = folder()?;
    Ok(gate_in(&folder, gate, None).exists() || gate_in(&folder, gate, Some(std::process::id())).exists())
}

/// Writes its line and returns its process.
#[task(takes_context)]
pub async fn record(context: TaskContext, number: u32) -> io::Result<u32> {
    begin(&context, number)
}

/// Writes its line and takes this long.
#[task(takes_context)]
pub async fn slow_record(context: TaskContext, number: u32, ms: u64) -> io::Result<u32> {
    let pid = begin(&context, number)?;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(pid)
}

/// Writes its line and ends when the gate is open.
#[task(takes_context)]
pub async fn gated(context: TaskContext, number: u32, gate: String) -> io::Result<u32> {
    let pid = begin(&context, number)?;
    while !is_open(&gate)? {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(pid)
}

/// The same without a runtime: nobody can end it before its gate is open.
#[task(takes_context)]
#[allow(clippy::needless_pass_by_value, reason = "a task owns its arguments")]
pub fn gated_thread(context: TaskContext, number: u32, gate: String) -> io::Result<u32> {
    let pid = begin(&context, number)?;
    while !is_open(&gate)? {
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(pid)
}

/// The same as no async task should: it keeps its thread until the gate is open.
#[task(takes_context)]
pub async fn blocks(context: TaskContext, number: u32, gate: String) -> io::Result<u32> {
    let pid = begin(&context, number)?;
    while !is_open(&gate)? {
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(pid)
}

/// Says this, and after it came back to its thread once more.
#[task]
pub async fn says(text: String) {
    tracing::info!(text, "said");
    tokio::task::yield_now().await;
    tracing::info!(text, "said again");
}

/// Says this from a thread of the blocking pool.
#[task]
#[allow(clippy::needless_pass_by_value, reason = "a task owns its arguments")]
pub fn says_from_thread(text: String) {
    tracing::info!(text, "said from a thread");
}

/// Hands the same on, and says so.
#[task]
pub async fn hands_on_words(text: String) -> Result<(), task_core::Error> {
    says::enqueue(text).await.map(drop)
}

/// Writes its line and takes its process with it.
#[task(takes_context)]
pub async fn aborts(context: TaskContext, number: u32) -> io::Result<u32> {
    begin(&context, number)?;
    std::process::abort()
}

/// Writes its line and enqueues `record` so many times.
#[task(takes_context)]
pub async fn hands_on(
    context: TaskContext,
    count: u32,
) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    begin(&context, count)?;
    let calls = (0..count).map(record::new).collect();
    Ok(u32::try_from(task_core::enqueue_many(calls).await?.len())?)
}

/// Writes its line and fails for this reason.
#[task(takes_context)]
pub async fn always_fails(context: TaskContext, reason: String) -> io::Result<u32> {
    begin(&context, 0)?;
    Err(io::Error::other(reason))
}

/// Writes its line and ends when it is told to.
#[task(takes_context)]
pub async fn cooperative(context: TaskContext) -> io::Result<u32> {
    begin(&context, 0)?;
    context.canceled().await;
    Err(io::Error::other("told to stop"))
}
