//! django-tasks, with whose results ours are compared: a Python environment below the build folder, made
//! once for each set of versions. Nothing keeps running.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::find::{Wanted, install};
use super::{Running, Server};
use crate::cargo::workspace_root;
use crate::failure::{Failure, Result};
use crate::process;

/// Its name in `--without` and in the closing table.
const NAME: &str = "django";

/// The environment, which is no server but is left out like one.
pub const DJANGO: Server = Server {
    name: NAME,
    is_backend: false,
    start,
};

/// Tells the tests which interpreter has django-tasks.
const VARIABLE: &str = "DJANGO_PYTHON";

/// The versions, from the root of the workspace.
const REQUIREMENTS: &str = "tests/django/requirements.txt";

/// What else can be done where the environment cannot be made.
const OTHERWISE: &str = "`cargo xtask test --without django` leaves these tests out.";

/// Makes the environment, or takes the one that is there.
fn start() -> Result<Running> {
    let requirements = workspace_root().join(REQUIREMENTS);
    let wanted = fs::read_to_string(&requirements).map_err(|error| cannot("read", &requirements, &error))?;
    let python = process::read(
        process::program("python3").args(["-c", "import sys; print(sys.version)"]),
        &format!("Install Python 3.10 or newer. {OTHERWISE}"),
    )?;
    let folder = build_folder().join(NAME).join(fingerprint(&[&wanted, &python]));
    let interpreter = folder.join("bin/python");
    // Written when everything is in place: an environment that was interrupted is made anew.
    let complete = folder.join("complete");
    if !complete.exists() {
        make(&folder, &interpreter, &requirements)?;
        fs::write(&complete, &wanted).map_err(|error| cannot("written", &complete, &error))?;
    }
    let version = process::read(
        process::program(&interpreter).args(["-c", VERSIONS]),
        &format!("Delete {} and try again.", folder.display()),
    )?;
    Ok(Running {
        version: version.trim().to_owned(),
        environment: vec![(VARIABLE, interpreter.display().to_string())],
        processes: Vec::new(),
        folder: None,
        also: Vec::new(),
    })
}

/// Prints what the closing table shows.
const VERSIONS: &str = "
from importlib.metadata import version
print('django-tasks-db', version('django-tasks-db'), 'on Django', version('Django'))
";

fn make(folder: &Path, interpreter: &Path, requirements: &Path) -> Result<()> {
    let venv = || {
        let mut command = process::program("python3");
        command.args(["-m", "venv", "--clear"]).arg(folder);
        command
    };
    // Some distributions keep the part that makes environments in a package of its own.
    let is_whole = process::succeeds(process::program("python3").args(["-c", "import ensurepip, venv"]));
    if !is_whole {
        install(Wanted {
            program: "python3 -m venv",
            package: "python3-venv",
            folders: &[],
        })?;
    }
    process::run(
        &mut venv(),
        &format!("Python's module `venv` is needed. {OTHERWISE}"),
    )?;
    let mut install = process::program(interpreter);
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ])
        .arg("--requirement")
        .arg(requirements);
    process::run(
        &mut install,
        &format!("The package index is needed once for each set of versions. {OTHERWISE}"),
    )
}

/// Where Cargo builds.
fn build_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || workspace_root().join("target"),
        |folder| workspace_root().join::<&OsStr>(&folder),
    )
}

/// A name for what these texts say.
fn fingerprint(texts: &[&str]) -> String {
    // FNV-1a: the same in every build of this program, which the standard library's is not.
    let hash = texts
        .iter()
        .flat_map(|text| text.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{hash:016x}")
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be {what}: {error}", path.display()), OTHERWISE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_another_environment() {
        let one = fingerprint(&["Django==5.2.19\n", "3.11"]);
        assert_eq!(one, fingerprint(&["Django==5.2.19\n", "3.11"]));
        assert_ne!(one, fingerprint(&["Django==5.2.20\n", "3.11"]));
        assert_ne!(one, fingerprint(&["Django==5.2.19\n", "3.12"]));
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }

    #[test]
    fn every_version_is_pinned() {
        let text = fs::read_to_string(workspace_root().join(REQUIREMENTS)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let loose: Vec<_> = lines.filter(|line| !line.contains("==")).collect();
        assert_eq!(loose, [] as [&str; 0]);
    }
}
