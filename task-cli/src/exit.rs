//! How a command ends: its exit code, and what is said when it went wrong.

use std::io::{self, Write as _};
use std::process::ExitCode;

use task_core::{Error, ErrorKind};

use crate::table::printable;

/// The exit codes. `--help` and `docs/cli.md` explain them to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done; a worker stopped as it was told.
    Done = 0,
    /// It failed, or a worker was forced to stop.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// There is no such task.
    NotFound = 3,
    /// The task that was waited for is `FAILED` or `CANCELED`.
    TaskFailed = 4,
    /// The time to wait is over.
    TimedOut = 5,
    /// The settings or the registered tasks are wrong.
    Settings = 6,
    /// The stored data has another schema version.
    Schema = 7,
}

/// The end of `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done; a worker stopped as it was told
  1  it failed; a worker was forced to stop by a second signal
  2  wrong command line
  3  no such task
  4  the task that was waited for is FAILED or CANCELED
  5  the time to wait is over
  6  wrong settings, unknown backend or task, or no task registered
  7  the stored data has another schema version

Settings: tasks.toml beside the manifest, in the working directory, or where TASKS_CONFIG says.
Logging: TASK_LOG as --log; results go to standard output, everything else to standard error.";

impl Exit {
    /// The code for trouble of this kind.
    pub(crate) const fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::TaskFailed => Self::TaskFailed,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::Settings | ErrorKind::Registry | ErrorKind::InvalidBackend => Self::Settings,
            ErrorKind::Schema => Self::Schema,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended before it was done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The framework says why.
    Error(Error),
    /// The command line makes no sense, or asks for help.
    Usage(clap::Error),
    /// Nobody reads the output, or it cannot be written.
    Output(io::Error),
}

impl Trouble {
    /// Says what went wrong and returns the code to end with.
    pub(crate) fn report(&self) -> Exit {
        match self {
            Self::Error(error) => {
                say(&format!("error: {error}"));
                Exit::of(error.kind())
            }
            Self::Usage(error) => {
                // Nobody listens when this fails, so nobody can be told.
                let _ = error.print();
                if error.use_stderr() {
                    Exit::Usage
                } else {
                    Exit::Done
                }
            }
            // `worker list | head` has what it wanted.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(error) => {
                say(&format!("error: {error}"));
                Exit::Failed
            }
        }
    }
}

/// Writes lines to standard error. Unlike `eprintln!` it does not panic when nobody listens.
pub(crate) fn say(text: &str) {
    // What a task stored as its error must not steer the terminal.
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<clap::Error> for Trouble {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_trouble_has_its_code() {
        for (kind, code) in [
            (ErrorKind::Unavailable, 1),
            (ErrorKind::State, 1),
            (ErrorKind::InvalidTask, 1),
            (ErrorKind::NotFound, 3),
            (ErrorKind::TaskFailed, 4),
            (ErrorKind::TimedOut, 5),
            (ErrorKind::Settings, 6),
            (ErrorKind::Registry, 6),
            (ErrorKind::InvalidBackend, 6),
            (ErrorKind::Schema, 7),
        ] {
            assert_eq!(Exit::of(kind) as u8, code, "{kind:?}");
            assert_eq!(Trouble::from(Error::new(kind, "x")).report() as u8, code);
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let gone = Trouble::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(gone.report(), Exit::Done);
        assert_eq!(
            Trouble::from(io::Error::other("disk full")).report(),
            Exit::Failed
        );
    }

    #[test]
    fn the_help_explains_every_code() {
        for exit in [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::TaskFailed,
        ] {
            assert!(HELP.contains(&format!("\n  {}  ", exit as u8)));
        }
        for exit in [Exit::TimedOut, Exit::Settings, Exit::Schema] {
            assert!(HELP.contains(&format!("\n  {}  ", exit as u8)));
        }
    }
}
