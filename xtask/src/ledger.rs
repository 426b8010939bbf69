//! `cargo xtask ledger`: the tests that account for every task, for as long and as often as one likes, and a
//! table of what came of them.

use clap::Args;

use crate::cargo::cargo;
use crate::failure::{Failure, Result};
use crate::process;
use crate::servers;
use crate::table::table;

/// Every store that several processes share, and the server that its tests need.
const BACKENDS: [(&str, Option<&str>); 5] = [
    ("sqlite", None),
    ("postgres", Some("postgres")),
    ("mysql", Some("mysql")),
    ("redis", Some("redis")),
    ("redis-cluster", Some("redis-cluster")),
];

/// How a test begins the line that becomes a row.
const MARK: &str = "LEDGER\t";

/// Which tests run, and how much of everything they do.
#[derive(Args)]
pub struct Options {
    /// Backends, separated by commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    backend: Vec<String>,
    /// For so long eight processes enqueue what four workers run
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Kill workers so often with `kill -9` at random moments
    #[arg(long, default_value_t = 0, value_name = "TIMES")]
    kills: u32,
    /// With so many tasks [default: 250 for each kill]
    #[arg(long)]
    tasks: Option<u32>,
    /// Stop workers so often with SIGTERM at random moments
    #[arg(long, default_value_t = 0, value_name = "TIMES")]
    sigterms: u32,
}

/// Runs them and prints the table.
pub fn run(options: &Options) -> Result<()> {
    let backends = chosen(&options.backend)?;
    let needed: Vec<&str> = backends.iter().filter_map(|(_, server)| *server).collect();
    let choice = servers::choose(&[])?;
    let wanted = choice
        .wanted
        .iter()
        .filter(|server| needed.contains(&server.name));
    let running = wanted
        .map(|server| (server.start)())
        .collect::<Result<Vec<_>>>()?;
    process::run(
        cargo().args(["build", "--package", "tests", "--bins"]),
        "The compiler's messages are above.",
    )?;

    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut verdict = Ok(());
    for (program, case) in cases(options) {
        let mut command = cargo();
        command.args(["test", "--package", "tests", "--test", program, "--"]);
        command.args(["--nocapture", "--test-threads", "1"]);
        command.args(
            backends
                .iter()
                .map(|(name, _)| format!("{}::{case}", name.replace('-', "_"))),
        );
        for server in &running {
            command.envs(server.environment.iter().map(|(name, value)| (name, value)));
        }
        command.env("LEDGER_SECONDS", options.seconds.to_string());
        command.env("LEDGER_KILLS", options.kills.to_string());
        command.env(
            "LEDGER_TASKS",
            options.tasks.unwrap_or(250 * options.kills).to_string(),
        );
        command.env("LEDGER_SIGTERMS", options.sigterms.to_string());
        let ended = process::listen(command, |line| rows.extend(row(line)))?;
        verdict = verdict.and(ended.well("The test that failed says above what it saw."));
    }
    println!("\n{}", table(["backend", "what", "outcome"], &rows));
    verdict
}

/// The test programs and their cases. A number of 0 leaves one out.
fn cases(options: &Options) -> Vec<(&'static str, &'static str)> {
    let all = [
        (options.seconds, "ledger", "eight_producers_and_four_workers"),
        (options.kills, "crash", "ten_kills_at_random_moments"),
        (options.sigterms, "shutdown", "sigterms_at_random_moments"),
    ];
    let chosen = all.into_iter().filter(|(times, ..)| *times > 0);
    chosen.map(|(_, program, case)| (program, case)).collect()
}

fn chosen(names: &[String]) -> Result<Vec<(&'static str, Option<&'static str>)>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| BACKENDS.iter().all(|(known, _)| known != name))
    {
        let known = BACKENDS.map(|(name, _)| name).join(", ");
        return Err(Failure::new(
            format!("--backend: there is no backend `{unknown}` that several processes share"),
            format!("Backends: {known}."),
        ));
    }
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    Ok(BACKENDS.into_iter().filter(|(name, _)| is_chosen(name)).collect())
}

/// The row that a test told; libtest may have begun the line with the test's name.
fn row(line: &str) -> Option<[String; 3]> {
    let (_, cells) = line.split_once(MARK)?;
    let mut cells = cells.split('\t').map(str::to_owned);
    Some([cells.next()?, cells.next()?, cells.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_told_becomes_a_row() {
        let line = "test crowd::redis::case ... LEDGER\tredis\t60 s\t9 tasks";
        assert_eq!(row(line), Some(["redis", "60 s", "9 tasks"].map(str::to_owned)));
        assert_eq!(row("test crowd::redis::case ... ok"), None);
    }

    #[test]
    fn an_unknown_backend_is_refused_with_the_known_ones() {
        assert_eq!(chosen(&[]).unwrap().len(), 5);
        assert_eq!(chosen(&["redis".to_owned()]).unwrap(), [("redis", Some("redis"))]);
        let failure = chosen(&["dummy".to_owned()]).unwrap_err().to_string();
        assert!(failure.contains("Backends: sqlite, postgres"), "{failure}");
    }
}
