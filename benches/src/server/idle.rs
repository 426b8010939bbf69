//! What a worker costs that has nothing to do: its own process, and the server.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, MySqlConnection, PgConnection, Row as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::place::{Place, is_postgres};
use crate::Outcome;
use crate::idle::{cpu_ticks, resident_kib};
use crate::ours::start_worker;
use crate::report::Report;

/// Watches an idle worker process for so many seconds, and the processes of the server that serve
/// it where they are on this machine.
pub(super) async fn worker(url: &str, seconds: u64, report: &mut Report) -> Outcome {
    let place = Place::new(url).await?;
    let mut worker = start_worker("serve", &[url, &place.name])?;
    let mut lines = BufReader::new(worker.stdout.take().ok_or("no output")?).lines();
    lines.next_line().await?;
    let process = worker.id().ok_or("the worker ended")?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let serving = serving(url).await?;
    let before = (cpu_ticks(process)?, ticks(&serving));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    // The kernel counts in hundredths of a second (USER_HZ is 100 on Linux).
    #[expect(clippy::cast_precision_loss, reason = "seconds of a short measurement")]
    let percent = |ticks: f64| ticks / seconds as f64;
    report.add(
        "idle worker process, CPU",
        "%",
        percent(cpu_ticks(process)? - before.0),
    );
    if let (Some(now), Some(before)) = (ticks(&serving), before.1) {
        report.add(
            "idle worker process, CPU of the server",
            "%",
            percent(now - before),
        );
    }
    report.add(
        "idle worker process, memory",
        "MiB",
        resident_kib(process)? / 1024.0,
    );
    worker.kill().await?;
    place.remove().await
}

fn ticks(processes: &[u32]) -> Option<f64> {
    let ticks = processes.iter().map(|process| cpu_ticks(*process).ok());
    (!processes.is_empty()).then(|| ticks.sum()).flatten()
}

/// The processes that serve the connections of others than this one; all of MySQL is one process.
async fn serving(url: &str) -> Outcome<Vec<u32>> {
    if is_postgres(url) {
        let mut connection = PgConnection::connect(url).await?;
        let pids = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let rows = connection.fetch_all(pids).await?;
        return rows
            .iter()
            .map(|row| Ok(u32::try_from(row.try_get::<i32, _>(0)?)?))
            .collect();
    }
    let mut connection = MySqlConnection::connect(url).await?;
    let row = connection
        .fetch_one("SELECT @@datadir AS datadir, @@pid_file AS pid_file")
        .await?;
    let (folder, file): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let file = std::path::Path::new(&folder).join(file);
    Ok(match std::fs::read_to_string(file) {
        Ok(pid) => vec![pid.trim().parse()?],
        Err(_) => Vec::new(),
    })
}
