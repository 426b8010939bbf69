//! `cargo xtask tables`: writes the tables of the documents again, from what the code says.

use crate::cargo::cargo;
use crate::failure::Result;
use crate::{process, servers};

/// Starts every server, asks every backend, and writes `docs/conformance.md` and the table in `docs/backends.md`.
pub fn run() -> Result<()> {
    let mut command = cargo();
    // One after the other: each writes its own column of the same page.
    command.args([
        "test",
        "--package",
        "tests",
        "--test",
        "tables",
        "--",
        "--test-threads",
        "1",
    ]);
    command.env("TABLES", "overwrite");
    let mut running = Vec::new();
    for server in servers::choose(&[])?
        .wanted
        .iter()
        .filter(|server| server.is_backend)
    {
        let started = (server.start)()?;
        command.envs(started.environment.iter().map(|(name, value)| (name, value)));
        running.push(started);
    }
    process::run(&mut command, "What could not be written is named above.")
}
