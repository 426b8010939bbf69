//! `run --reload`: a worker whose own file is replaced gives back what it runs and goes on as
//! the new program, in the same process.

mod system;

#[path = "reload/replaced.rs"]
mod replaced;
#[path = "reload/waits.rs"]
mod waits;

use std::path::{Path, PathBuf};

use system::{Place, Process, WORKER, eventually, spawn};

/// So long that nothing here can have waited for it.
const LEASE: &str = "10m";

/// The worker's program in the folder of this test, where it can be replaced.
fn program(place: &Place) -> PathBuf {
    place.folder().join("program")
}

/// Writes the program anew beside this path and moves it there, as a linker and `cargo` do.
/// Another process writes: one that is started meanwhile would inherit the open file, and a
/// file that somebody writes to cannot be run.
fn put(path: &Path) {
    let beside = path.with_extension("new");
    let copied = std::process::Command::new("cp").arg(WORKER).arg(&beside).status();
    assert!(copied.expect("there is `cp`").success());
    std::fs::rename(&beside, path).expect("a file can be moved over another");
}

/// Starts a worker that watches its file.
fn start(place: &Place, flags: &[&str]) -> Process {
    put(&program(place));
    let mut command = place.command(program(place).to_str().expect("a plain path"));
    command.args(["run", "--worker-id", "watcher", "--lease", LEASE]);
    command.args(flags);
    spawn(command, place.folder(), "watcher")
}

/// Returns when this process runs the file that stands there now.
async fn runs_what_stands_there(place: &Place, worker: &Process) {
    use std::os::unix::fs::MetadataExt as _;
    let running = PathBuf::from(format!("/proc/{}/exe", worker.pid()));
    eventually("the new program to run", async || {
        let file = |path: &Path| std::fs::metadata(path).map(|file| file.ino()).ok();
        let (runs, stands) = (file(&running), file(&program(place)));
        if runs.is_some() && runs == stands {
            Ok(())
        } else {
            Err(format!("runs {runs:?}, there is {stands:?}: {}", worker.log()))
        }
    })
    .await;
}
