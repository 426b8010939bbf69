//! Cargo, as the other commands use it: where the workspace is, and where a build put its programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::process;

/// The folder of the root manifest.
pub fn workspace_root() -> PathBuf {
    // The variable first: it stays right when the checkout was moved after this program was built.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here)
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The Cargo that runs us, working on the whole workspace.
pub fn cargo() -> Command {
    let mut command = process::program(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(workspace_root());
    command
}

/// Whether the subcommand `cargo name` is installed.
pub fn has(name: &str) -> bool {
    process::succeeds(cargo().args([name, "--version"]))
}

/// How a program is built.
#[derive(Clone, Copy)]
pub enum Profile {
    /// Quick to build.
    Dev,
    /// Quick to run.
    Release,
}

/// Builds all programs of a package and returns the path of one of them.
pub fn build(package: &str, program: &str, profile: Profile) -> Result<PathBuf> {
    let mut command = cargo();
    command.args([
        "build",
        "--package",
        package,
        "--bins",
        "--message-format=json-render-diagnostics",
    ]);
    if let Profile::Release = profile {
        command.arg("--release");
    }
    let reports = process::read(&mut command, "The compiler's messages are above.")?;
    executable(&reports, program).ok_or_else(|| {
        Failure::new(
            format!("the package `{package}` has no program `{program}`"),
            format!("It is expected at `{package}/src/bin/{program}.rs`."),
        )
    })
}

/// The path of a program in Cargo's JSON reports. Only Cargo knows it: `CARGO_TARGET_DIR`, settings
/// and the profile all move it.
fn executable(reports: &str, program: &str) -> Option<PathBuf> {
    reports
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|report| report["reason"] == "compiler-artifact")
        .filter(|report| report["target"]["name"] == program)
        .find_map(|report| report["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_cargo_put_it() {
        let reports = r#"{"reason":"compiler-artifact","target":{"name":"files","kind":["lib"]},"executable":null}
some line that is not ours
{"reason":"compiler-artifact","target":{"name":"worker","kind":["bin"]},"executable":"/elsewhere/debug/worker"}
{"reason":"compiler-artifact","target":{"name":"files","kind":["bin"]},"executable":"/elsewhere/debug/files"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(reports, "files"),
            Some(PathBuf::from("/elsewhere/debug/files"))
        );
        assert_eq!(executable(reports, "absent"), None);
    }

    #[test]
    fn the_workspace_root_holds_the_root_manifest() {
        let manifest = std::fs::read_to_string(workspace_root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }
}
