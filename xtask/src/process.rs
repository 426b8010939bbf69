//! Running other programs: the command line is shown before it runs, and a bad end says what to do.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::{Failure, Result};

/// A program started from a clean environment.
///
/// Cargo describes this crate to us through variables. A program that looks for the settings beside
/// its own manifest must not find ours, and a nested Cargo must not see a package that is not built.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (name, _) in std::env::vars_os() {
        if describes_this_crate(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_this_crate(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
}

/// A program that has ended.
pub struct Ended {
    line: String,
    status: ExitStatus,
}

impl Ended {
    /// Fails when the program ended badly, with its command line, its status and the advice.
    pub fn well(&self, advice: &str) -> Result<()> {
        if self.status.success() {
            return Ok(());
        }
        Err(Failure::new(
            format!("`{}` ended with {}", self.line, self.status),
            advice,
        ))
    }
}

/// Shows the command, runs it with our own input and output, and fails unless it ends well.
pub fn run(command: &mut Command, advice: &str) -> Result<()> {
    let line = show(command);
    let status = command.status().map_err(|error| not_started(command, &error))?;
    Ended { line, status }.well(advice)
}

/// Shows the command, runs it and returns what it wrote to its standard output.
pub fn read(command: &mut Command, advice: &str) -> Result<String> {
    let line = show(command);
    let output = command
        .stderr(Stdio::inherit())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started(command, &error))?;
    let text = String::from_utf8(output.stdout)
        .map_err(|_| Failure::new(format!("`{line}` wrote something that is not UTF-8"), advice))?;
    Ended {
        line,
        status: output.status,
    }
    .well(advice)?;
    Ok(text)
}

/// Whether the command can be started and ends well; nothing is shown.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Shows the command, runs it, passes its output on unchanged and each line of it, without colours,
/// to `listen`.
///
/// Both streams share one pipe: a runner names the test binary on one and its tests on the other, and
/// only together do they have an order.
pub fn listen(mut command: Command, mut listen: impl FnMut(&str)) -> Result<Ended> {
    keep_colours(&mut command);
    let line = show(&command);
    let failed = |error: io::Error| cannot_read(&line, &error);

    let (reader, writer) = io::pipe().map_err(failed)?;
    command
        .stdin(Stdio::null())
        .stderr(writer.try_clone().map_err(failed)?)
        .stdout(writer);
    let mut child = command.spawn().map_err(|error| not_started(&command, &error))?;
    drop(command); // It holds two ends of the pipe, which would never close.

    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).map_err(failed)? > 0 {
        io::stdout().write_all(&bytes).map_err(failed)?;
        listen(&without_colours(&String::from_utf8_lossy(&bytes)));
        bytes.clear();
    }
    let status = child.wait().map_err(failed)?;
    Ok(Ended { line, status })
}

/// A piped program thinks that nobody sees its colours; where somebody does, it is told.
fn keep_colours(command: &mut Command) {
    if io::stdout().is_terminal() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
}

/// The line without its end and without terminal escapes (`ESC [ … letter`).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.trim_end();
    while let Some((before, escape)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = escape
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or("", |end| &escape[end + 1..]);
    }
    plain + rest
}

fn not_started(command: &Command, error: &io::Error) -> Failure {
    let name = command.get_program().display();
    Failure::new(
        format!("`{}` could not be started: {error}", line(command)),
        format!("Check that `{name}` is installed and may be run."),
    )
}

fn cannot_read(line: &str, error: &io::Error) -> Failure {
    Failure::new(
        format!("the output of `{line}` could not be passed on: {error}"),
        "Run that command by itself to see what it says.",
    )
}

/// Prints the command line and returns it.
fn show(command: &Command) -> String {
    let line = line(command);
    eprintln!("$ {line}");
    line
}

/// The command as one would type it: variables set for it, program, arguments.
fn line(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        let value = quoted(value?);
        Some(format!("{}={value}", name.display()))
    });
    let program = Path::new(command.get_program());
    let name = match program.file_stem() {
        // Cargo tells us where it is; people call it by its name.
        Some(stem) if stem == "cargo" => OsString::from(stem),
        _ => program.as_os_str().to_owned(),
    };
    let words = std::iter::once(name.as_os_str())
        .chain(command.get_args())
        .map(|word| quoted(word).into_owned());
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> Cow<'_, str> {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command
            .args(["doc", "it's here", ""])
            .env("RUSTDOCFLAGS", "-D warnings")
            .env_remove("GONE");
        assert_eq!(
            line(&command),
            r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s here' ''"
        );
    }

    #[test]
    fn colours_are_not_part_of_a_line() {
        assert_eq!(
            without_colours("\u{1b}[32;1m  PASS\u{1b}[0m [0.1s] \u{1b}[35;1mtests\u{1b}[0m\n"),
            "  PASS [0.1s] tests"
        );
        assert_eq!(without_colours("cut off \u{1b}["), "cut off ");
    }

    #[test]
    fn both_streams_of_a_program_are_heard_in_their_order() {
        let mut command = program("sh");
        command.args(["-c", "echo one; echo two >&2; echo three; exit 3"]);
        let mut heard = Vec::new();
        let ended = listen(command, |line| heard.push(line.to_owned())).unwrap();
        assert_eq!(heard, ["one", "two", "three"]);
        assert_eq!(ended.status.code(), Some(3));
    }

    #[test]
    fn a_bad_end_says_command_status_and_what_to_do() {
        let failure = run(program("sh").args(["-c", "exit 7"]), "Try again.").unwrap_err();
        assert_eq!(
            failure.to_string(),
            "`sh -c 'exit 7'` ended with exit status: 7\n  Try again."
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let failure = run(&mut program("no-such-program-here"), "").unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("`no-such-program-here` could not be started"),
            "{failure}"
        );
    }

    #[test]
    fn a_program_does_not_inherit_the_description_of_this_crate() {
        assert!(describes_this_crate(OsStr::new("CARGO_MANIFEST_DIR")));
        assert!(describes_this_crate(OsStr::new("CARGO_PKG_NAME")));
        assert!(!describes_this_crate(OsStr::new("CARGO_TARGET_DIR")));
    }
}
