//! What a worker costs that has nothing to do.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::Outcome;
use crate::ours::{open, start_worker};

/// The cost of an idle worker process.
pub(crate) struct Idle {
    /// Share of one core.
    pub(crate) cpu_percent: f64,
    /// Resident memory.
    pub(crate) memory_mib: f64,
}

/// Watches an idle worker process for so many seconds.
pub(crate) async fn worker(seconds: u64) -> Outcome<Idle> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tasks.db");
    let (backends, _) = open(&file).await?;
    let mut worker = start_worker("serve", &[file.to_str().ok_or("the folder's name is no text")?])?;
    let mut lines = BufReader::new(worker.stdout.take().ok_or("no output")?).lines();
    lines.next_line().await?;
    let process = worker.id().ok_or("the worker ended")?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = cpu_ticks(process)?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let used = cpu_ticks(process)? - before;
    let memory_mib = resident_kib(process)? / 1024.0;
    worker.kill().await?;
    backends.close().await;
    // The kernel counts in hundredths of a second (USER_HZ is 100 on Linux).
    #[expect(clippy::cast_precision_loss, reason = "seconds of a short measurement")]
    Ok(Idle {
        cpu_percent: used / seconds as f64,
        memory_mib,
    })
}

/// User and system time of a process, in hundredths of a second: fields 14 and 15 of
/// `/proc/PID/stat`, counted behind the name in brackets.
pub(crate) fn cpu_ticks(process: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let behind = stat.rsplit_once(')').ok_or("no stat")?.1;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let ticks = |index: usize| -> Outcome<f64> { Ok(fields.get(index).ok_or("short stat")?.parse()?) };
    Ok(ticks(11)? + ticks(12)?)
}

/// The resident memory of a process.
pub(crate) fn resident_kib(process: u32) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("short line")?.parse()?)
}
