//! The workspace's own commands: `cargo xtask demo`, `test`, `tables`, `serve`, `ledger`, `ci`, `bench` and `soak`.
//!
//! Everything a contributor or a build server runs is here, so that both run the same thing.

mod bench;
mod cargo;
mod ci;
mod demo;
mod failure;
mod ledger;
mod licences;
mod machine_paths;
mod nearest;
mod process;
mod readme;
mod serve;
mod servers;
mod soak;
mod table;
mod tables;
mod tally;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// One command per file of the same name.
#[derive(Subcommand)]
enum Command {
    /// Build the examples and run `files` on a folder
    Demo(demo::Options),
    /// Run every test of the workspace and say what ran against which backend
    Test(test::Options),
    /// Start the servers that tests need and keep them running, for work on a backend
    Serve(serve::Options),
    /// Let many processes enqueue, run, die and stop on each backend, and account for every task
    Ledger(ledger::Options),
    /// Run everything a change must pass: format, lints, docs, licences, README, tests
    Ci,
    /// Write the tables in the documents again, from what the code says
    Tables,
    /// Build the benchmarks optimised and run them; everything after `bench` is theirs
    Bench(bench::Options),
    /// Run tasks at half the peak rate for half an hour and say whether anything grew or slowed
    Soak(soak::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Ledger(options) => ledger::run(&options),
        Command::Ci => ci::run(),
        Command::Tables => tables::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Soak(options) => soak::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}
