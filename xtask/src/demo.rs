//! `cargo xtask demo`: the example programs at work on a folder.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::cargo::{self, Profile};
use crate::failure::Result;
use crate::process;

/// What the demonstration works on.
#[derive(Args)]
pub struct Options {
    /// The folder to work on [default: this workspace]
    folder: Option<PathBuf>,
    /// More arguments for the program, after `--`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Builds the example programs and runs `files`, which finds `worker` beside itself.
pub fn run(options: &Options) -> Result<()> {
    let files = cargo::build("examples", "files", Profile::Dev)?;
    let folder = options.folder.clone().unwrap_or_else(cargo::workspace_root);
    process::run(
        process::program(files).arg(folder).args(&options.arguments),
        "The program's own words are above; `-- --help` lists what it accepts.",
    )
}
