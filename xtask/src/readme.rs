//! The commands README.md tells people to type, run as they stand there.
//!
//! A block is checked when this comment stands above it; blank lines between are fine:
//!
//! ````text
//! <!-- checked: setup -->
//! ```sh
//! cargo xtask demo
//! ```
//! ````

use std::fs;
use std::process::Stdio;

use crate::cargo::workspace_root;
use crate::failure::{Failure, Result};
use crate::process;

/// The command that is not run from here, because `cargo xtask ci` ends with it.
const TESTS: &str = "cargo xtask test";

/// Runs every checked command but the tests, and says so where it left them out.
pub fn check() -> Result<Option<String>> {
    let path = workspace_root().join("README.md");
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::new(
            format!("README.md cannot be read: {error}"),
            "It is the workspace's front page.",
        )
    })?;
    let commands = checked_commands(&text)?;
    for command in commands.iter().filter(|command| !is_tests(command)) {
        let mut shell = process::program("sh");
        shell
            .args(["-ec", command])
            .current_dir(workspace_root())
            .stdin(Stdio::null());
        process::run(
            &mut shell,
            "README.md tells people to type this: repair the command or the page.",
        )?;
    }
    Ok(commands
        .iter()
        .any(|command| is_tests(command))
        .then(|| format!("`{TESTS}` is the next step")))
}

fn is_tests(command: &str) -> bool {
    command.split(" #").next().map(str::trim) == Some(TESTS)
}

/// Where a reader of the page is.
enum Place {
    /// Anywhere else.
    Text,
    /// Below the comment of this line, before its block.
    Marked(usize),
    /// Inside a block without a comment.
    Unchecked,
    /// Inside the block that began at this line.
    Checked(usize),
}

/// The commands of all checked blocks, in order. A comment without a block, a block without an end
/// and a page without any checked block are errors: each would make this check pass for nothing.
fn checked_commands(text: &str) -> Result<Vec<String>> {
    let mut commands = Vec::new();
    let mut place = Place::Text;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        place = match place {
            Place::Text if line.starts_with("<!-- checked:") => marked(number, line)?,
            Place::Text if line.starts_with("```") => Place::Unchecked,
            Place::Unchecked if line == "```" => Place::Text,
            Place::Marked(above) if line.is_empty() => Place::Marked(above),
            Place::Marked(_) if line == "```sh" => Place::Checked(number),
            Place::Marked(above) => return Err(page(above, "the comment is not followed by a ```sh block")),
            Place::Checked(_) if line == "```" => Place::Text,
            Place::Checked(start) => {
                commands.extend(command(line));
                Place::Checked(start)
            }
            Place::Text | Place::Unchecked => place,
        };
    }
    match place {
        Place::Marked(above) => Err(page(above, "the comment is not followed by a ```sh block")),
        Place::Checked(start) => Err(page(start, "the block does not end")),
        _ if commands.is_empty() => Err(page(1, "no command is checked")),
        _ => Ok(commands),
    }
}

fn marked(number: usize, line: &str) -> Result<Place> {
    match line {
        "<!-- checked: setup -->" => Ok(Place::Marked(number)),
        _ => Err(page(
            number,
            &format!("`{line}` is not a comment this check knows"),
        )),
    }
}

/// The command on a line, unless it is blank or only a comment.
fn command(line: &str) -> Option<String> {
    let command = line.strip_prefix("$ ").unwrap_or(line);
    (!command.is_empty() && !command.starts_with('#')).then(|| command.to_owned())
}

fn page(line: usize, happened: &str) -> Failure {
    Failure::new(
        format!("README.md:{line}: {happened}"),
        "A checked block is the line `<!-- checked: setup -->` and below it a ```sh block, one command on each line.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_of_checked_blocks_are_taken() {
        let page = "\
# Tasks

```sh
cargo install something-else
```

<!-- checked: setup -->

```sh
# two commands
$ cargo xtask demo

cargo xtask test   # all of it
```

```rust
let text = \"<!-- checked: nothing -->\";
```
";
        assert_eq!(
            checked_commands(page).unwrap(),
            ["cargo xtask demo", "cargo xtask test   # all of it"]
        );
    }

    #[test]
    fn a_page_that_checks_nothing_is_refused() {
        for (page, complaint) in [
            ("# Tasks\n", "README.md:1: no command is checked"),
            (
                "<!-- checked: setup -->\n```sh\n# nothing\n```\n",
                "README.md:1: no command is checked",
            ),
            (
                "\n<!-- checked: setup -->\nText.\n",
                "README.md:2: the comment is not followed",
            ),
            (
                "<!-- checked: setup -->\n",
                "README.md:1: the comment is not followed",
            ),
            (
                "<!-- checked: setup -->\n```sh\nls\n",
                "README.md:2: the block does not end",
            ),
            (
                "<!-- checked: set-up -->\n```sh\nls\n```\n",
                "README.md:1: `<!-- checked: set-up -->` is not a comment",
            ),
        ] {
            let failure = checked_commands(page).unwrap_err().to_string();
            assert!(failure.contains(complaint), "{failure}");
        }
    }

    #[test]
    fn the_tests_are_recognised_with_a_comment_behind_them() {
        assert!(is_tests("cargo xtask test"));
        assert!(is_tests("cargo xtask test   # all of it"));
        assert!(!is_tests("cargo xtask test -- one"));
        assert!(!is_tests("cargo xtask demo"));
    }
}
