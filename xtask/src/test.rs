//! `cargo xtask test`: every test of the workspace, and a table of what ran against which backend.

use std::process::Command;

use clap::Args;

use crate::cargo::{cargo, has};
use crate::failure::{Failure, Result};
use crate::process;
use crate::servers::{self, Running};
use crate::table::table;
use crate::tally::{Counts, Runner, Tally};

/// Which tests run.
#[derive(Args, Default)]
pub struct Options {
    #[arg(long, value_name = "NAME", value_delimiter = ',', help = servers::help())]
    without: Vec<String>,
    /// Part of a test's name, and further arguments for the test programs, after `--`
    #[arg(last = true, value_name = "FILTER ARGS")]
    filter: Vec<String>,
}

/// What to do about a test that failed.
const FAILED: &str = "What failed is named above; `cargo xtask test -- PART_OF_ITS_NAME` runs it again.";

/// A backend under test, and the version of what it keeps its tasks in.
struct Backend {
    name: String,
    version: String,
}

/// Runs all tests, prints the table, and fails if anything did.
pub fn run(options: &Options) -> Result<()> {
    let choice = servers::choose(&options.without)?;
    build_programs()?;
    let mut backends = serverless()?;

    let mut running = Vec::new();
    for server in &choice.wanted {
        let started = (server.start)()?;
        backends.push(Backend {
            name: server.name.to_owned(),
            version: started.version.clone(),
        });
        running.push(started);
    }

    let left_out: Vec<&str> = choice.left_out.iter().map(|server| server.name).collect();
    let tests = tests(&running, &left_out, &options.filter)?;
    let documentation = documentation(&running, &options.filter)?;

    let rows: Vec<_> = rows(&backends, &tests.tally, &documentation.tally)
        .into_iter()
        .chain(left_out.into_iter().map(row_left_out))
        .collect();
    println!("\n{}", table(["backend", "version", "ran", "result"], &rows));

    tests.verdict?;
    documentation.verdict?;
    something_ran(&[tests.tally.total(), documentation.tally.total()])
}

/// Builds the programs that tests start as processes of their own.
fn build_programs() -> Result<()> {
    process::run(
        cargo().args(["build", "--package", "tests", "--bins"]),
        "The compiler's messages are above.",
    )
}

/// The backends that need no server; `memory` is the example of a crate of its own. The program `versions` knows
/// what is linked into the tests.
fn serverless() -> Result<Vec<Backend>> {
    let versions = process::read(
        cargo().args(["run", "--quiet", "--package", "tests", "--bin", "versions"]),
        "It prints one line per embedded database: name, tab, version.",
    )?;
    let mut backends: Vec<Backend> = ["dummy", "immediate", "memory"]
        .map(|name| Backend {
            name: name.to_owned(),
            version: "no server".to_owned(),
        })
        .into();
    for line in versions.lines().filter(|line| !line.trim().is_empty()) {
        let (name, version) = line.split_once('\t').ok_or_else(|| {
            Failure::new(
                format!("`versions` printed `{line}`"),
                "Each of its lines is a name, a tab and a version.",
            )
        })?;
        match backends.iter_mut().find(|backend| backend.name == name) {
            Some(backend) => version.clone_into(&mut backend.version),
            None => backends.push(Backend {
                name: name.to_owned(),
                version: version.to_owned(),
            }),
        }
    }
    Ok(backends)
}

/// What a runner did: the tests it named, and whether it ended well.
struct Ran {
    tally: Tally,
    verdict: Result<()>,
}

/// Unit and integration tests. All of them run even when one fails, so that the table is complete.
fn tests(running: &[Running], left_out: &[&str], filter: &[String]) -> Result<Ran> {
    let mut command = cargo();
    let mut filter = filter.to_vec();
    let runner = if has("nextest") {
        command.args([
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--status-level",
            "pass",
            "--no-tests",
            "pass",
        ]);
        if !left_out.is_empty() {
            command.args(["--filterset", &all_but(left_out)]);
        }
        Runner::Nextest
    } else {
        // Not `--all-targets`: it would also run the benchmarks.
        command.args(["test", "--workspace", "--tests", "--no-fail-fast"]);
        for name in left_out {
            filter.extend(["--skip".to_owned(), format!("{}::", module(name))]);
        }
        Runner::Libtest
    };
    ran(command, runner, running, &filter)
}

/// The module in which the tests stand that need this server.
fn module(server: &str) -> String {
    server.replace('-', "_")
}

/// Every test but those that need one of these servers, as nextest is told.
fn all_but(left_out: &[&str]) -> String {
    let modules: Vec<_> = left_out.iter().map(|name| module(name)).collect();
    let modules = modules.join("|");
    format!("not (test(/(^|::)({modules})::/) | binary(/^({modules})$/))")
}

/// The examples in the documentation.
fn documentation(running: &[Running], filter: &[String]) -> Result<Ran> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--doc", "--no-fail-fast"]);
    ran(command, Runner::Libtest, running, filter)
}

fn ran(mut command: Command, runner: Runner, running: &[Running], filter: &[String]) -> Result<Ran> {
    if !filter.is_empty() {
        command.arg("--").args(filter);
    }
    for server in running {
        command.envs(server.environment.iter().map(|(name, value)| (name, value)));
    }
    let mut tally = Tally::new(runner);
    let ended = process::listen(command, |line| tally.hear(line))?;
    match ended.well(FAILED) {
        // Nothing was compiled, or the arguments were refused: there is nothing to tabulate.
        Err(failure) if tally.total().is_empty() => Err(failure),
        verdict => Ok(Ran { tally, verdict }),
    }
}

/// One row for each backend, then what belongs to none of them.
fn rows(backends: &[Backend], tests: &Tally, documentation: &Tally) -> Vec<[String; 4]> {
    let names: Vec<&str> = backends.iter().map(|backend| backend.name.as_str()).collect();
    let row = |name: &str, version: &str, counts: Counts| {
        [
            name.to_owned(),
            version.to_owned(),
            counts.ran(),
            counts.to_string(),
        ]
    };
    let mut rows: Vec<_> = backends
        .iter()
        .map(|backend| {
            row(
                &backend.name,
                &backend.version,
                tests.about(&backend.name, &names),
            )
        })
        .collect();
    rows.push(row("(all others)", "", tests.about_none(&names)));
    rows.push(row("(documentation)", "", documentation.total()));
    rows
}

fn row_left_out(name: &str) -> [String; 4] {
    [name, "", "", "left out with --without"].map(str::to_owned)
}

/// A filter that matches nothing must not look like success.
fn something_ran(counts: &[Counts]) -> Result<()> {
    if counts.iter().all(|counts| counts.is_empty()) {
        return Err(Failure::new(
            "no test ran",
            "Check the filter after `--`; without one every test runs.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_need_a_server_are_those_in_a_module_of_its_name() {
        assert_eq!(
            all_but(&["django"]),
            "not (test(/(^|::)(django)::/) | binary(/^(django)$/))"
        );
        assert_eq!(
            all_but(&["postgres", "redis-cluster"]),
            "not (test(/(^|::)(postgres|redis_cluster)::/) | binary(/^(postgres|redis_cluster)$/))"
        );
    }
}
