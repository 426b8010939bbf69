//! `cargo xtask soak`: whether a worker stays as it was for half an hour.

use std::ffi::OsString;

use clap::Args;

use crate::cargo::{self, Profile};
use crate::failure::Result;
use crate::process;

/// What is soaked, and for how long.
#[derive(Args)]
pub struct Options {
    /// For how long
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// The URL of a server (postgres:, mysql: or redis:); without it an SQLite file
    #[arg(long, value_name = "URL")]
    backend: Option<String>,
    /// Measure a worker that has nothing to do for a minute instead
    #[arg(long)]
    idle: bool,
}

/// Builds the package `benches` with optimisation and runs `bench soak`.
pub fn run(options: &Options) -> Result<()> {
    let bench = cargo::build("benches", "bench", Profile::Release)?;
    let mut arguments: Vec<OsString> = vec!["soak".into(), "--minutes".into()];
    arguments.push(options.minutes.to_string().into());
    arguments.extend(options.idle.then(|| "--idle".into()));
    arguments.extend(options.backend.iter().map(OsString::from));
    process::run(
        process::program(bench).args(&arguments),
        "The last line says what grew or slowed.",
    )
}
