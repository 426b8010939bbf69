//! `cargo xtask serve`: the servers of the tests, kept running for a person who works on a backend.

use std::io::{Read as _, Write as _};

use clap::Args;

use crate::failure::{Failure, Result};
use crate::servers;

/// Which servers run.
#[derive(Args, Default)]
pub struct Options {
    #[arg(long, value_name = "NAME", value_delimiter = ',', help = servers::help())]
    without: Vec<String>,
}

/// Starts them, prints where they are in the form a shell reads, and ends them with the input.
pub fn run(options: &Options) -> Result<()> {
    let choice = servers::choose(&options.without)?;
    let mut running = Vec::new();
    for server in &choice.wanted {
        let started = (server.start)()?;
        for (name, value) in &started.environment {
            println!("export {name}='{value}'  # {} {}", server.name, started.version);
        }
        running.push(started);
    }
    println!("# They run until the input ends (Ctrl+D) or Ctrl+C.");
    let gone = |error| {
        Failure::new(
            format!("the terminal went away: {error}"),
            "The servers have ended.",
        )
    };
    std::io::stdout().flush().map_err(gone)?;
    std::io::stdin().read_to_end(&mut Vec::new()).map_err(gone)?;
    Ok(())
}
