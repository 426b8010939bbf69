//! No tracked file may name a folder of the machine it was written on.

use std::fs;

use crate::cargo::workspace_root;
use crate::failure::{Failure, Result};
use crate::process;

/// Folders that exist on one machine only, whatever is below them.
const PRIVATE: [&str; 2] = ["root", "workspace"];
/// Folders that hold one folder for each person.
const HOMES: [&str; 2] = ["home", "Users"];

/// How many lines a failure shows, and how much of each: one program checked in by mistake has thousands.
const SHOWN: usize = 20;
const LINE_SHOWN: usize = 160;

/// Looks through every file git tracks or would add.
pub fn check() -> Result<Option<String>> {
    let mut git = process::program("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace_root());
    let files = process::read(
        &mut git,
        "This check asks git which files are ours: run it in a checkout.",
    )?;

    let mut found = Vec::new();
    for file in files.split_terminator('\0') {
        // A link, a deleted file or a folder has no text of its own.
        let path = workspace_root().join(file);
        if !path.is_symlink()
            && let Ok(bytes) = fs::read(path)
        {
            found.extend(machine_paths(&bytes).map(|(number, line)| format!("{file}:{number}: {line}")));
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let count = found.len();
    found.truncate(SHOWN);
    Err(Failure::new(
        format!(
            "{count} lines name a folder of one machine, the first are:\n  {}",
            found.join("\n  ")
        ),
        "Say it relative to the workspace, or with a variable.",
    ))
}

/// The lines that name a machine path, with their numbers, cut to a readable length.
fn machine_paths(bytes: &[u8]) -> impl Iterator<Item = (usize, String)> {
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    lines.filter_map(|(number, line)| {
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        names_a_machine_path(line).then(|| (number, line.escape_debug().take(LINE_SHOWN).collect()))
    })
}

fn names_a_machine_path(line: &str) -> bool {
    line.match_indices('/')
        .any(|(at, _)| begins_a_path(&line[..at]) && is_machine_path(&line[at + 1..]))
}

/// Whether an absolute path can begin here: `a/workspace/` and `~/workspace/` are about other folders.
fn begins_a_path(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || "._-~})]>*".contains(c))
}

/// Whether a path, its first slash taken away, leads to a folder only one machine has.
fn is_machine_path(path: &str) -> bool {
    let Some((first, below)) = path.split_once('/') else {
        return false;
    };
    PRIVATE.contains(&first) || (HOMES.contains(&first) && is_a_person(below))
}

/// Whether the next folder is named like a person, and not like a placeholder (`<user>`, `$USER`, `*`).
fn is_a_person(path: &str) -> bool {
    let name = path
        .split(|c: char| !(c.is_alphanumeric() || "._-".contains(c)))
        .next()
        .unwrap_or_default();
    !name.is_empty() && path[name.len()..].starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spelled in two parts, so that this file passes its own check.
    fn absolute(rest: &str) -> String {
        format!("/{rest}")
    }

    #[test]
    fn folders_of_one_machine_are_found() {
        for path in [
            "root/.cargo",
            "workspace/main",
            "home/ada/tasks",
            "Users/Ada/tasks",
        ] {
            assert!(names_a_machine_path(&absolute(path)), "{path}");
            assert!(
                names_a_machine_path(&format!("see \"{}\".", absolute(path))),
                "{path}"
            );
            assert!(
                names_a_machine_path(&format!("file://{}", absolute(path))),
                "{path}"
            );
        }
    }

    #[test]
    fn other_paths_are_left_alone() {
        for line in [
            "target/workspace/main",
            "https://docs.rs/root/latest",
            "the /home/<user>/ folder",
            "cd ~/workspace/tasks",
            "$HOME/workspace/x",
            "/homes/ada/x",
            "/home/",
            "a/b and/or c",
        ] {
            assert!(!names_a_machine_path(line), "{line}");
        }
    }

    #[test]
    fn the_line_is_named() {
        let text = format!("one\n  two {}\n", absolute("workspace/x"));
        let expected = format!("two {}", absolute("workspace/x"));
        assert_eq!(
            machine_paths(text.as_bytes()).collect::<Vec<_>>(),
            [(2, expected)]
        );
    }

    #[test]
    fn a_long_line_is_cut() {
        let line = absolute("workspace/").repeat(1000);
        let shown: Vec<_> = machine_paths(line.as_bytes())
            .map(|(_, shown)| shown.len())
            .collect();
        assert_eq!(shown, [LINE_SHOWN]);
    }
}
