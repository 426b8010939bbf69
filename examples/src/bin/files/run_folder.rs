//! The place of one run: settings, store, the worker's log, and a file that is not UTF-8.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use examples::shown;
use task_core::{Settings, TaskId};

use crate::Result;

/// What the settings of a run say; the worker reads the same file.
const SETTINGS: &str = "\
[default]
backend = \"sqlite\"
url     = \"sqlite://tasks.db\"
queues  = [\"default\", \"special\"]
";

/// Latin-1, where `é` is one byte that no UTF-8 text has there.
const NOT_UTF8: &[u8] = b"Tasks go well with caf\xe9 au lait.\n";

/// Marks the folder of all runs as one that backups, and `walk`, need not look into.
const CACHE_TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# Runs of the example program `files`.\n";

/// How many runs are kept, so that one can look further. Older ones are removed.
const KEPT: u32 = 10;

/// The folder of one run.
pub(crate) struct RunFolder(PathBuf);

impl RunFolder {
    /// Makes the next one: `demo/7` beside this program, after `demo/6`.
    pub(crate) fn make() -> Result<Self> {
        let runs = std::env::current_exe()?.with_file_name("demo");
        Self::make_below(&runs).map_err(|error| {
            format!("cannot make a folder for this run in `{}`: {error}", shown(&runs)).into()
        })
    }

    fn make_below(runs: &Path) -> io::Result<Self> {
        fs::create_dir_all(runs)?;
        fs::write(runs.join("CACHEDIR.TAG"), CACHE_TAG)?;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(runs)? {
            numbers.extend(
                entry?
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse::<u32>().ok()),
            );
        }
        let mut number = numbers.iter().max().copied().unwrap_or(0);
        let folder = loop {
            number += 1;
            let folder = runs.join(number.to_string());
            match fs::create_dir(&folder) {
                Ok(()) => break folder,
                // Another run was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        for old in numbers.into_iter().filter(|old| old + KEPT <= number) {
            // Another run may be removing it, too; what stays is removed next time.
            let _ = fs::remove_dir_all(runs.join(old.to_string()));
        }
        let run = Self(folder);
        fs::write(run.settings_file(), SETTINGS)?;
        fs::write(run.not_utf8(), NOT_UTF8)?;
        Ok(run)
    }

    /// The settings, for this program. Whatever `TASKS_…` variables there are do not count: they
    /// belong to somebody's real store.
    pub(crate) fn settings(&self) -> task_core::Result<Settings> {
        Settings::from_text(SETTINGS, &self.settings_file(), &BTreeMap::new())
    }

    /// The settings, for the worker.
    pub(crate) fn settings_file(&self) -> PathBuf {
        self.0.join("tasks.toml")
    }

    /// Where the worker's words go.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("worker.log")
    }

    /// The file that must fail.
    pub(crate) fn not_utf8(&self) -> PathBuf {
        self.0.join("not-utf8.txt")
    }

    /// How to go on where a run ended before its time.
    pub(crate) fn go_on(&self) -> String {
        let command = self.command("run");
        format!("What was enqueued is kept. A worker goes on with it until it is told to stop:\n  {command}")
    }

    /// Command lines that show more of this run.
    pub(crate) fn look_further(&self, noteworthy: &[TaskId]) -> String {
        let mut text = "\nLook further:\n".to_owned();
        let shows = noteworthy.iter().map(|id| format!("show {id}"));
        for arguments in ["counts", "list --status FAILED", "list --limit 10"]
            .map(str::to_owned)
            .into_iter()
            .chain(shows)
        {
            text.push_str(&format!("  {}\n", self.command(&arguments)));
        }
        text
    }

    /// A worker's command on this run's store, to be pasted where this program was started.
    fn command(&self, arguments: &str) -> String {
        let worker = std::env::current_exe().map(|exe| nearer(&exe.with_file_name("worker")));
        let worker = match worker {
            // Without a slash the shell would look for it elsewhere.
            Ok(worker) if worker.components().count() == 1 => Path::new(".").join(worker),
            Ok(worker) => worker,
            Err(_) => "worker".into(),
        };
        let settings = nearer(&self.settings_file());
        format!(
            "TASKS_CONFIG={} {} {arguments}",
            quoted(&settings),
            quoted(&worker)
        )
    }
}

/// The path as seen from the working folder if it is below that.
pub(crate) fn nearer(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok());
    below.unwrap_or(path).to_owned()
}

/// The path as one word of a shell.
fn quoted(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_folder_of_its_own_and_old_ones_go() {
        let runs = tempfile::tempdir().expect("a folder");
        for _ in 0..=KEPT {
            RunFolder::make_below(runs.path()).expect("a run");
        }
        assert!(!runs.path().join("1").exists());
        assert!(runs.path().join("2/tasks.toml").exists());
        assert!(runs.path().join((KEPT + 1).to_string()).exists());
    }

    #[test]
    fn the_settings_are_settings() {
        let runs = tempfile::tempdir().expect("a folder");
        let run = RunFolder::make_below(runs.path()).expect("a run");
        let settings = run.settings().expect("settings");
        assert_eq!(settings.backends["default"].queues, ["default", "special"]);
    }

    #[test]
    fn a_path_is_one_word() {
        assert_eq!(
            quoted(Path::new("./target/debug/worker")),
            "./target/debug/worker"
        );
        assert_eq!(quoted(Path::new("it's here")), r"'it'\''s here'");
    }
}
