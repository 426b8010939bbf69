//! Processes that a test starts, watches, kills, and never leaves behind.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, WaitOptions, kill_process, waitpid};

use super::{Kind, Place, eventually, within};

/// How much of the log of a process is shown when a test fails.
const LAST_LINES: usize = 40;

/// A process whose output is a file. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    is_killed: bool,
}

/// Starts this command, with everything it says in `<folder>/<name>.log`.
pub fn spawn(mut command: Command, folder: &Path, name: &str) -> Process {
    let log = folder.join(format!("{name}.log"));
    let file = File::create(&log).expect("the folder can be written to");
    let both = file.try_clone().expect("a file can be shared");
    command.stdin(Stdio::null()).stdout(both).stderr(file);
    Process {
        name: name.to_owned(),
        child: command.spawn().expect("the program is there"),
        log,
        is_killed: false,
    }
}

impl Process {
    /// The name it was given by the test.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn send(&self, signal: Signal) {
        kill_process(self.number(), signal).expect("the process is there");
    }

    fn number(&self) -> Pid {
        let number = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        number.expect("a process has a number")
    }

    /// Stops it as Ctrl+Z does, and returns when it stands still. Where one lock guards the whole store,
    /// not in the middle of a transaction, which would hold it for as long as the process is stopped.
    pub async fn stop(&self, place: &Place) {
        let is_file = place.home().kind == Kind::Sqlite;
        let mut lock = None;
        if is_file {
            lock.insert(place.sql().await).run("BEGIN IMMEDIATE").await;
        }
        self.send(Signal::STOP);
        let status = waitpid(Some(self.number()), WaitOptions::UNTRACED).expect("a child can be waited for");
        assert!(
            status.is_some_and(|(_, status)| status.stopped()),
            "{}",
            self.tail()
        );
        if let Some(mut lock) = lock {
            lock.run("ROLLBACK").await;
            lock.close().await;
        }
    }

    /// Kills it in the middle of whatever it does, as `kill -9` does, and returns when it is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process is there");
        let status = self.child.wait().expect("a child can be waited for");
        assert!(!status.success(), "{} had ended by itself", self.name);
        self.is_killed = true;
    }

    /// Whether the test killed it.
    pub fn is_killed(&self) -> bool {
        self.is_killed
    }

    /// Whether others had to take its tasks: it was killed, or says that its lease ran out,
    /// as one of a second may on a machine that is busy with other tests.
    pub fn was_lost(&self) -> bool {
        const LOST: [&str; 2] = ["the lease was lost", "the store gave this worker up"];
        let log = self.log();
        self.is_killed || LOST.iter().any(|words| log.contains(words))
    }

    /// Whether it runs.
    pub fn is_alive(&mut self) -> bool {
        let ended = self.child.try_wait().expect("a child can be asked");
        ended.is_none()
    }

    /// How it ended, which it does within this time.
    pub async fn ended_within(&mut self, time: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        within(time, &what, async || {
            let ended = self.child.try_wait().expect("a child can be asked");
            ended.ok_or_else(|| self.tail())
        })
        .await
    }

    /// The exit code with which it ends within this time.
    pub async fn exits_within(&mut self, time: Duration) -> i32 {
        let status = self.ended_within(time).await;
        let code = status.code();
        code.unwrap_or_else(|| panic!("{} ended by {status}: {}", self.name, self.tail()))
    }

    /// Everything it said so far.
    pub fn log(&self) -> String {
        // Also read while a test fails, when its folder may be gone.
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns when it has said this so many times.
    pub async fn says_times(&self, text: &str, times: usize) {
        let what = format!("{} to say {text:?}", self.name);
        eventually(&what, async || {
            let said = self.log().matches(text).count();
            if said >= times { Ok(()) } else { Err(self.tail()) }
        })
        .await;
    }

    /// Returns when it has said this.
    pub async fn says(&self, text: &str) {
        self.says_times(text, 1).await;
    }

    /// The end of what it said.
    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        format!("--- {} ({}) ---\n{}\n---", self.name, self.pid(), last.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}
