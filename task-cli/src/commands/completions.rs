//! `completions`: what makes a shell complete commands and flags.

use super::Session;
use crate::args::{self, CompletionsArgs};
use crate::exit::{Exit, Trouble};
use crate::output;

/// Prints the script for one shell, under the name that this program was called by.
pub(super) fn completions(args: &CompletionsArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut args::command(),
        session.program.as_str(),
        &mut script,
    );
    output::bytes(&script)?;
    Ok(Exit::Done)
}
