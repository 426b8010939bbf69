//! `cargo xtask bench`: the benchmarks, built as they would be deployed.

use std::ffi::OsString;

use clap::Args;

use crate::cargo::{self, Profile};
use crate::failure::Result;
use crate::process;

/// What the benchmarks are told.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// Arguments of the benchmark program, `--help` among them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Builds the package `benches` with optimisation and runs its program `bench`.
pub fn run(options: &Options) -> Result<()> {
    let bench = cargo::build("benches", "bench", Profile::Release)?;
    process::run(
        process::program(bench).args(&options.arguments),
        "The program's own words are above; `cargo xtask bench --help` lists what it accepts.",
    )
}
