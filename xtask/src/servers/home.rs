//! A server's own place: a temporary folder, a free port, a user who may run it, and the wait
//! until it answers.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::{Failure, Result};
use crate::process;

/// The longest that a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often to ask whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Ends the server when this process ends, however it does.
const TIED_TO_US: [&str; 2] = ["--pdeathsig", "TERM"];

/// The user and group of nobody in particular.
const NOBODY: u32 = 65534;

/// A folder that is removed with the server.
pub fn folder() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("tasks-test-")
        .tempdir()
        .map_err(|error| {
            Failure::new(
                format!("no temporary folder: {error}"),
                "Make room in the folder TMPDIR names.",
            )
        })
}

/// A port that nobody listens on now.
pub fn free_port() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Failure::new(format!("no free port: {error}"), "Close a program that listens."))
}

/// A program that ends with us.
pub fn tied(program: &Path) -> Command {
    let mut command = process::program("setpriv");
    command.args(TIED_TO_US).arg(program);
    command
}

/// Whether we are root.
fn is_root() -> bool {
    let id = process::program("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Gives a file or folder to the user who runs servers that refuse to run as root.
pub fn give(path: &Path) -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).map_err(|error| {
        Failure::new(
            format!("{} cannot be given to nobody: {error}", path.display()),
            "A server that refuses to run as root needs what belongs to its own user.",
        )
    })
}

/// As [`tied`], and not as root: some servers refuse that. The folder is given to its user.
pub fn tied_not_as_root(program: &Path, folder: &Path) -> Result<Command> {
    let mut command = process::program("setpriv");
    command.args(TIED_TO_US);
    if is_root() {
        give(folder)?;
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
    }
    command.arg(program);
    Ok(command)
}

/// Starts a server with its output in a file of its folder.
pub fn start(mut command: Command, name: &str, folder: &Path) -> Result<Child> {
    let log = log(name, folder);
    let failed = |error: std::io::Error| {
        Failure::new(
            format!("`{name}` was not started: {error}"),
            "Is it installed whole?",
        )
    };
    let output = std::fs::File::create(&log).map_err(failed)?;
    let errors = output.try_clone().map_err(failed)?;
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(failed)
}

fn log(name: &str, folder: &Path) -> std::path::PathBuf {
    folder.join(format!("{name}.log"))
}

/// Waits until the server answers; one that ends instead, or stays silent, is a failure with what
/// it wrote last.
pub fn until_it_answers(
    child: &mut Child,
    name: &str,
    folder: &Path,
    mut answers: impl FnMut() -> bool,
) -> Result<()> {
    let began = Instant::now();
    while !answers() {
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() || began.elapsed() > PATIENCE {
            let written = std::fs::read_to_string(log(name, folder)).unwrap_or_default();
            let last: Vec<&str> = written.lines().rev().take(15).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            let happened = ended.map_or_else(
                || "does not answer".to_owned(),
                |status| format!("ended with {status}"),
            );
            return Err(Failure::new(
                format!("`{name}` {happened}"),
                format!("It wrote last:\n{}", last.join("\n")),
            ));
        }
        // A server says nothing when it is ready; asking is the only way.
        std::thread::sleep(ASK_EVERY);
    }
    Ok(())
}
