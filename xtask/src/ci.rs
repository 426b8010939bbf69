//! `cargo xtask ci`: everything a change must pass, in the order in which it fails fastest.

use std::time::Instant;

use crate::cargo::cargo;
use crate::failure::{Failure, Result};
use crate::table::table;
use crate::{licences, machine_paths, process, readme, test};

/// What a step adds to the closing table: something it could not do, or nothing.
type Note = Option<String>;

/// One check and the name it goes by.
struct Step {
    name: &'static str,
    check: fn() -> Result<Note>,
}

const STEPS: [Step; 7] = [
    Step {
        name: "no machine paths",
        check: machine_paths::check,
    },
    Step {
        name: "format",
        check: format,
    },
    Step {
        name: "lints",
        check: lints,
    },
    Step {
        name: "documentation",
        check: documentation,
    },
    Step {
        name: "licences and advisories",
        check: licences::check,
    },
    Step {
        name: "README commands",
        check: readme::check,
    },
    Step {
        name: "tests",
        check: tests,
    },
];

/// Runs the steps until one fails, and closes with a table of all of them.
pub fn run() -> Result<()> {
    run_steps(&STEPS)
}

fn run_steps(steps: &[Step]) -> Result<()> {
    let mut rows = Vec::new();
    let mut failed = None;
    for (number, step) in (1..).zip(steps) {
        if failed.is_some() {
            rows.push([step.name.to_owned(), String::new(), "not reached".to_owned()]);
            continue;
        }
        println!("\n[{number}/{}] {}", steps.len(), step.name);
        let started = Instant::now();
        let outcome = (step.check)();
        let duration = format!("{:.1} s", started.elapsed().as_secs_f64());
        let result = match outcome {
            Ok(None) => "passed".to_owned(),
            Ok(Some(note)) => format!("passed ({note})"),
            Err(failure) => {
                failed = Some(Failure::new(
                    format!("step {number}, {}: {failure}", step.name),
                    "Nothing after it was checked.",
                ));
                "FAILED".to_owned()
            }
        };
        println!("[{number}/{}] {}: {result}, {duration}", steps.len(), step.name);
        rows.push([step.name.to_owned(), duration, result]);
    }
    println!("\n{}", table(["step", "time", "result"], &rows));
    failed.map_or(Ok(()), Err)
}

fn format() -> Result<Note> {
    process::run(
        cargo().args(["fmt", "--all", "--", "--check"]),
        "Run `cargo fmt --all`.",
    )?;
    Ok(None)
}

fn lints() -> Result<Note> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    process::run(
        &mut clippy,
        "The lints are above; the rules are in the root manifest and clippy.toml.",
    )?;
    Ok(None)
}

fn documentation() -> Result<Note> {
    let mut doc = cargo();
    doc.args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    process::run(
        &mut doc,
        "The documentation must build without a warning; they are above.",
    )?;
    Ok(None)
}

fn tests() -> Result<Note> {
    test::run(&test::Options::default())?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Result<Note> {
        Ok(None)
    }

    fn bad() -> Result<Note> {
        Err(Failure::new("it broke", "Mend it."))
    }

    fn unreachable() -> Result<Note> {
        unreachable!("a step after a failed one")
    }

    #[test]
    fn the_first_failure_ends_the_run_and_names_its_step() {
        let steps = [
            Step {
                name: "one",
                check: good,
            },
            Step {
                name: "two",
                check: bad,
            },
            Step {
                name: "three",
                check: unreachable,
            },
        ];
        let failure = run_steps(&steps).unwrap_err().to_string();
        assert_eq!(
            failure,
            "step 2, two: it broke\n  Mend it.\n  Nothing after it was checked."
        );
    }

    #[test]
    fn the_tests_are_the_last_step() {
        assert_eq!(STEPS.last().map(|step| step.name), Some("tests"));
    }
}
