//! The worker binary as a process of its own.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use examples::shown;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::Result;
use crate::run_folder::{RunFolder, nearer};

/// How long the worker has to end by itself after its last task.
const OWN_END: Duration = Duration::from_secs(2);

/// How long it has to end once it was told to; longer than its own `--stop-timeout`.
const TOLD_END: Duration = Duration::from_secs(10);

/// How much of its log is shown when it ends too early.
const TAIL_LINES: usize = 12;

/// A running worker.
pub(crate) struct WorkerProcess {
    child: Child,
    pid: u32,
    log: PathBuf,
}

impl WorkerProcess {
    /// Starts the binary beside this program. After this many attempts it ends by itself, so it
    /// does not outlive its work even if this program is killed.
    pub(crate) fn start(run: &RunFolder, attempts: u64) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("worker");
        let log = File::create(run.log())?;
        let mut command = Command::new(&program);
        for (name, _) in std::env::vars_os() {
            // They would change which store it works on, and how.
            let name_begins = |with| name.to_str().is_some_and(|name| name.starts_with(with));
            if name_begins("TASKS_") || name_begins("TASK_") {
                command.env_remove(name);
            }
        }
        let attempts = attempts.to_string();
        let child = command
            .args(["run", "--max-tasks", &attempts, "--stop-timeout", "5s"])
            .env("TASKS_CONFIG", run.settings_file())
            // Alone at its store, it has nobody to keep out of step with.
            .env("TASK_NO_STARTUP_DELAY", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl+C is for us: a worker that hears of it twice ends by force.
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let child = child.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!(
                "there is no worker at `{}`\n  hint: cargo build --package examples --bins",
                shown(&program)
            ),
            _ => format!("the worker `{}` cannot be started: {error}", shown(&program)),
        })?;
        let pid = child.id().unwrap_or_default();
        Ok(Self {
            child,
            pid,
            log: run.log(),
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it did.
    pub(crate) fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// That it ended while there was still work, with its last words.
    pub(crate) fn ended_early(&self, status: ExitStatus) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        let (name, tail) = (shown(&nearer(&self.log)), tail.join("\n  "));
        format!("the worker ended too early ({status}); the end of {name}:\n  {tail}")
    }

    /// Lets it end now that nothing is left to do; returns a complaint if it did not end well.
    pub(crate) async fn ended_well(&mut self) -> Option<String> {
        let status = match tokio::time::timeout(OWN_END, self.child.wait()).await {
            Ok(Ok(status)) => Some(status),
            Ok(Err(_)) | Err(_) => self.stop().await,
        };
        match status {
            Some(status) if status.success() => None,
            Some(status) => Some(format!(
                "the worker ended with {status}, see {}",
                shown(&self.log)
            )),
            None => Some("the worker did not end when it was told to and was killed".to_owned()),
        }
    }

    /// Tells it to stop and waits for its end; `None` if it had to be killed.
    pub(crate) async fn stop(&mut self) -> Option<ExitStatus> {
        // Not reaped yet, so the number still belongs to it.
        if let Some(pid) = self
            .child
            .id()
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?))
        {
            // It may just have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        match tokio::time::timeout(TOLD_END, self.child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                let _ = self.child.kill().await;
                None
            }
        }
    }
}
