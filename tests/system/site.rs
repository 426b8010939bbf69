//! A folder of a test's own with settings, and programs that are run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use conformance::executions::FOLDER;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::{Process, WORKER, spawn};

/// The longest that a command may take that does not wait for anything.
const LONGEST_COMMAND: Duration = Duration::from_secs(60);

/// The store, a dummy for the tasks of the conformance suite that ask for it, any queue.
const SETTINGS: &str = r#"
[default]
backend = "sqlite"
url = "sqlite://store/tasks.db"
queues = []

[reports]
backend = "dummy"
queues = []
"#;

/// A folder with settings. The store they name is not there before a program makes it.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
}

impl Site {
    /// A folder with the settings that all tests share.
    pub fn new() -> Self {
        Self::with_settings(SETTINGS)
    }

    /// A folder with these settings.
    pub fn with_settings(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("store")).expect("the folder can be written to");
        let site = Self { folder };
        site.set(settings);
        site
    }

    /// Changes the settings.
    pub fn set(&self, settings: &str) {
        let file = self.folder().join("tasks.toml");
        std::fs::write(file, settings).expect("the folder can be written to");
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the store.
    pub fn store(&self) -> PathBuf {
        self.folder().join("store")
    }

    /// The file of the store.
    pub fn file(&self) -> PathBuf {
        self.store().join("tasks.db")
    }

    /// A program that works here, whatever the environment of the test says.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TASK") || name == "COLUMNS" {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.folder())
            .env("TASKS_CONFIG", self.folder().join("tasks.toml"))
            .env(FOLDER, self.folder())
            .env("TASK_NO_STARTUP_DELAY", "true");
        command
    }

    /// Starts a worker of this name.
    pub fn worker(&self, name: &str, flags: &[&str]) -> Process {
        let mut command = self.command(WORKER);
        command.args(["run", "--worker-id", name]).args(flags);
        spawn(command, self.folder(), name)
    }

    /// Runs the worker's program with these arguments.
    pub async fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(&[], arguments, "").await
    }

    /// The same with these variables, and this on its standard input.
    pub async fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Said {
        let mut command = self.command(WORKER);
        command.envs(variables.iter().copied()).args(arguments);
        said_by(command, input).await
    }
}

/// Runs a command to its end, with this on its standard input.
pub async fn said_by(command: Command, input: &str) -> Said {
    let shown = format!("{command:?}");
    let mut command = tokio::process::Command::from(command);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("the program is there");
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing may have ended already.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let ended = tokio::time::timeout(LONGEST_COMMAND, child.wait_with_output()).await;
    let output = ended
        .unwrap_or_else(|_| panic!("{shown} did not end within {LONGEST_COMMAND:?}"))
        .expect("its output can be read");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("programs say text");
    Said {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
        command: shown,
    }
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    command: String,
}

impl Said {
    /// It ended with this code, and without a panic.
    #[track_caller]
    pub fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.err.contains("panicked"), "{self:#?}");
        self
    }

    /// Standard error has all of these.
    #[track_caller]
    pub fn complains(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "{part:?} in {self:#?}");
        }
        self
    }

    /// Standard output is the only thing it said.
    #[track_caller]
    pub fn quietly(self) -> Self {
        assert_eq!(self.err, "", "{self:#?}");
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.out) {
            Ok(document) => document,
            Err(error) => panic!("{error}: {self:#?}"),
        }
    }

    /// The only line of standard output.
    #[track_caller]
    pub fn line(&self) -> &str {
        let [line] = self.lines()[..] else {
            panic!("one line: {self:#?}");
        };
        line
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }

    /// The words of each line of standard output.
    pub fn words(&self) -> Vec<Vec<&str>> {
        self.out
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect()
    }
}
