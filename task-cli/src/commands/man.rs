//! `man`: the manual page, made from the same words as `--help`.

use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use task_core::{Error, ErrorKind};

use super::Session;
use crate::args::{self, ManArgs};
use crate::exit::{Exit, Trouble};
use crate::output;

/// Prints one page with every command, or writes a page for each into a folder. They have
/// the name that this program was called by.
pub(super) fn man(args: &ManArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let mut command = args::command().name(session.program.clone());
    command.build();
    match &args.dir {
        None => output::bytes(&page(&command)?)?,
        Some(folder) => write_pages(&command, folder).map_err(|error| {
            Error::new(ErrorKind::State, "the manual pages cannot be written")
                .at(folder.display().to_string())
                .hint("is it a folder, and may this user write there?")
                .because(error)
        })?,
    }
    Ok(Exit::Done)
}

/// The whole command line on one page: what all commands share, then each command.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for command in shown(command) {
        let section = section(command)?;
        page.extend(section.as_bytes());
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// What stands before every section, and need stand only once.
const PREAMBLE: [&str; 2] = [".ie \\n(.g ", ".el .ds Aq "];

/// One command as a section of the page, its own sections one level below.
fn section(command: &Command) -> io::Result<String> {
    let mut own = Vec::new();
    let man = Man::new(command.clone());
    man.render_description_section(&mut own)?;
    man.render_synopsis_section(&mut own)?;
    man.render_options_section(&mut own)?;
    let title = command.get_bin_name().unwrap_or(command.get_name());
    let mut section = format!(".SH \"{}\"\n", title.to_uppercase());
    for line in String::from_utf8_lossy(&own).lines() {
        match line.strip_prefix(".SH ") {
            Some(title) => section.push_str(&format!(".SS {title}\n")),
            None if PREAMBLE.iter().any(|begins| line.starts_with(begins)) => {}
            None => section.push_str(&format!("{line}\n")),
        }
    }
    Ok(section)
}

/// The commands, without the one that only repeats `--help`.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
}

/// One file for the program and one for each command.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    for command in std::iter::once(command).chain(shown(command)) {
        let man = Man::new(command.clone().disable_help_subcommand(true));
        let mut page = Vec::new();
        man.render(&mut page)?;
        std::fs::write(folder.join(man.get_filename()), page)?;
    }
    Ok(())
}
