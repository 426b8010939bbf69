//! Where results go: standard output, as text for people or as JSON for programs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::exit::{Trouble, say};
use crate::table::{Screen, Table};

/// The narrowest screen that tables are made for.
const NARROWEST: usize = 80;

/// The output of one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    screen: Screen,
}

impl Output {
    /// Text fitted to the terminal, if there is one, or one JSON document.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let asked = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok());
        let measured = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        // Without a terminal nobody knows how much fits, and programs want whole words.
        let width = asked.or_else(|| if is_terminal { measured() } else { None });
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            quiet,
            screen: Screen {
                width: width.map(|width| width.max(NARROWEST)),
                colour: is_terminal && !plain,
            },
        }
    }

    /// Whether a program reads it.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// What tables are fitted to.
    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// Prints one JSON document.
    pub(crate) fn json(&self, document: &impl Display) -> Result<(), Trouble> {
        print(&format!("{document}\n"))
    }

    /// Prints a line.
    pub(crate) fn line(&self, line: &str) -> Result<(), Trouble> {
        print(&format!("{line}\n"))
    }

    /// Prints a table.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Trouble> {
        print(&table.render(self.screen))
    }

    /// Prints labels with their values.
    pub(crate) fn fields(&self, fields: &[(&str, String)]) -> Result<(), Trouble> {
        print(&crate::table::fields(fields))
    }

    /// Says to people, beside the output, what to do next or what is odd.
    pub(crate) fn hint(&self, line: &str) {
        if !self.json && !self.quiet {
            say(&format!("hint: {line}"));
        }
    }
}

/// A document of these parts, each kept to the letter: a [`serde_json::Value`] would round
/// the large numbers in a task.
pub(crate) fn object<const PARTS: usize>(parts: [(&str, Box<RawValue>); PARTS]) -> io::Result<Box<RawValue>> {
    raw(&BTreeMap::from(parts))
}

/// A part of a document.
pub(crate) fn raw(part: &(impl Serialize + ?Sized)) -> io::Result<Box<RawValue>> {
    Ok(serde_json::value::to_raw_value(part)?)
}

fn print(text: &str) -> Result<(), Trouble> {
    bytes(text.as_bytes())
}

/// Writes a document that is for neither people nor JSON.
pub(crate) fn bytes(document: &[u8]) -> Result<(), Trouble> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(document)?;
    stdout.flush()?;
    Ok(())
}

/// The name of this program, for hints that can be typed.
pub(crate) fn program_name(argument: Option<&OsString>) -> String {
    argument
        .and_then(|argument| Path::new(argument).file_name())
        .map_or_else(|| "worker".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_without_its_folder() {
        assert_eq!(program_name(Some(&"target/debug/worker".into())), "worker");
        assert_eq!(program_name(None), "worker");
    }
}
