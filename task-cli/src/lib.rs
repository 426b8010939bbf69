//! The command line of a worker binary: run tasks, enqueue and watch them, look after
//! what is kept.
//!
//! `task_worker::worker! { tasks = [app] }` makes a `main` that calls [`worker_main`]. A program
//! that registers its tasks by hand calls [`main_with`]:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use task_core::{Registry, task};
//!
//! #[task]
//! async fn greet(name: String) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! fn main() -> ExitCode {
//!     let mut registry = Registry::new();
//!     if let Err(error) = registry.add::<greet>() {
//!         eprintln!("error: {error}");
//!         return ExitCode::FAILURE;
//!     }
//!     task_cli::main_with(&[], registry, std::env::args_os())
//! }
//! ```
//!
//! - What can be typed: `args`, with `names` and `duration` for its values.
//! - What each command does: one file below `commands`, over `connect`.
//! - What others see of a running worker: `observe`.
//! - When the worker's own file is replaced: `reload`.
//! - What comes out: `output` and `table` on standard output, `logging` on standard
//!   error, `exit` for the code.
//!
//! `docs/cli.md` shows every command with its output.

mod args;
mod commands;
mod connect;
mod duration;
mod exit;
mod logging;
mod names;
mod observe;
mod output;
mod reload;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;

use task_core::{Error, ErrorKind, Registry, Result};
use tokio::runtime::{Builder, Handle};

use args::Cli;
use commands::Session;
use exit::{Exit, Trouble};

/// The `main` of a worker binary: reads the arguments of the process and does what they say,
/// with the tasks that `#[task]` registered in the crates this program links.
///
/// `crates` are those the program was told to link for their tasks, with underscores; the
/// command line says when one of them brought none.
pub fn worker_main(crates: &[&str]) -> ExitCode {
    start(
        crates,
        Registry::collected(),
        &std::env::args_os().collect::<Vec<_>>(),
    )
}

/// As [`worker_main`], with these tasks and these arguments, the program's name first.
///
/// The tasks may use the backends of the process while they run. Where the program has set
/// up none, the command line does so from the settings.
pub fn main_with(crates: &[&str], registry: Registry, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    start(crates, Ok(registry), &args.into_iter().collect::<Vec<_>>())
}

fn start(crates: &[&str], registry: Result<Registry>, arguments: &[OsString]) -> ExitCode {
    let program = output::program_name(arguments.first());
    let outcome = args::parse(arguments).map_err(Trouble::from).and_then(|cli| {
        let session = Session::new(crates, registry, program).quiet(cli.logging.quiet > 0);
        act(&cli, &session)
    });
    match outcome {
        Ok(exit) => exit,
        Err(trouble) => trouble.report(),
    }
    .into()
}

fn act(cli: &Cli, session: &Session<'_>) -> Result<Exit, Trouble> {
    if Handle::try_current().is_ok() {
        let error = Error::new(
            ErrorKind::State,
            "the command line was called inside a tokio runtime",
        );
        return Err(error
            .hint("it makes its own: call it from a `main` that is not async")
            .into());
    }
    logging::start(&cli.logging, session.crates)?;
    for warning in args::misspelt_variables() {
        tracing::warn!("{warning}");
    }
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(commands::act(&cli.action, session));
    // Not dropped: that would wait for tasks that block a thread and cannot be stopped.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_async_main_is_told_not_to_be_one() {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let arguments: Vec<OsString> = vec!["worker".into(), "tasks".into()];
        let cli = args::parse(&arguments).expect("well-formed");
        let session = Session::new(&[], Ok(Registry::new()), "worker".to_owned());
        let trouble = runtime.block_on(async { act(&cli, &session) });
        let Err(Trouble::Error(error)) = trouble else {
            panic!("it runs");
        };
        assert_eq!(error.kind(), ErrorKind::State);
    }
}
