//! The scenario run by django-tasks.

use std::process::{Command, Stdio};

use serde_json::Value;

/// The variable with the path of a Python interpreter that has django-tasks.
const INTERPRETER: &str = "DJANGO_PYTHON";

/// What one of the programs beside this file printed.
fn said_by(program: &str, arguments: &[&str]) -> Value {
    let Some(python) = std::env::var_os(INTERPRETER) else {
        panic!(
            "{INTERPRETER} is not set: this test runs django-tasks. `cargo xtask test` prepares what it needs \
             (`cargo xtask test -- django::` for these tests alone), `cargo xtask test --without django` \
             leaves it out"
        );
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/django/").to_owned() + program)
        .args(arguments)
        .arg(folder.path())
        // No compiled files beside the sources.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("DJANGO_SETTINGS_MODULE")
        .stdin(Stdio::null())
        .output()
        .expect("the interpreter can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {}\n{errors}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{program}: {error}\n{errors}"))
}

/// What came of the scenario.
pub fn report() -> Value {
    said_by("run.py", &[super::scenario::FILE])
}

/// What came of the traps.
pub fn traps() -> Value {
    said_by("traps.py", &[])
}
