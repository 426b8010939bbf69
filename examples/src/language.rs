//! What a file is written in, told by its name or else by its first line.

use std::path::Path;

/// How much of the first line is needed, in characters.
pub(crate) const HEAD_CHARS: usize = 120;

/// What is told by the ending of a name, in lower case.
const ENDINGS: &[(&str, &[&str])] = &[
    ("C", &["c", "h"]),
    ("C++", &["cc", "cpp", "cxx", "hpp", "hh"]),
    ("C#", &["cs"]),
    ("CSS", &["css", "scss"]),
    ("CSV", &["csv", "tsv"]),
    ("Go", &["go"]),
    ("HTML", &["html", "htm"]),
    ("Java", &["java"]),
    ("JavaScript", &["js", "mjs", "cjs", "jsx"]),
    ("JSON", &["json", "jsonl"]),
    ("Kotlin", &["kt", "kts"]),
    ("Lua", &["lua"]),
    ("Makefile", &["mk"]),
    ("Markdown", &["md", "markdown"]),
    ("Perl", &["pl", "pm"]),
    ("PHP", &["php"]),
    ("Python", &["py", "pyi"]),
    ("reStructuredText", &["rst"]),
    ("Ruby", &["rb"]),
    ("Rust", &["rs"]),
    ("Shell", &["sh", "bash", "zsh"]),
    ("SQL", &["sql"]),
    ("SVG", &["svg"]),
    ("Swift", &["swift"]),
    ("Text", &["txt", "log", "stderr", "stdout"]),
    ("TOML", &["toml"]),
    ("TypeScript", &["ts", "tsx"]),
    ("XML", &["xml", "xsd"]),
    ("YAML", &["yaml", "yml"]),
];

/// What is told by a whole name.
const NAMES: &[(&str, &[&str])] = &[
    ("Dockerfile", &["Dockerfile", "Containerfile"]),
    ("Makefile", &["Makefile", "GNUmakefile", "makefile"]),
    ("TOML", &["Cargo.lock", "Pipfile"]),
];

/// What is told by the program that a first line `#!/usr/bin/env program` names; a version may
/// follow it.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("JavaScript", &["node", "deno", "bun"]),
    ("Lua", &["lua"]),
    ("Perl", &["perl"]),
    ("PHP", &["php"]),
    ("Python", &["python"]),
    ("Ruby", &["ruby"]),
    ("Shell", &["sh", "bash", "dash", "zsh", "ksh"]),
];

/// The language of a file with this name and this first line, or `Other`.
pub(crate) fn guess(path: &Path, first_line: &str) -> &'static str {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str());
    find(NAMES, name)
        .or_else(|| find(ENDINGS, &ending?.to_ascii_lowercase()))
        .or_else(|| find(PROGRAMS, program(first_line)?))
        .unwrap_or("Other")
}

fn find(table: &[(&'static str, &[&str])], name: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(_, names)| names.contains(&name))
        .map(|(language, _)| *language)
}

/// The program a first line asks for, without folder and version.
fn program(first_line: &str) -> Option<&str> {
    let mut words = first_line.strip_prefix("#!")?.split_whitespace();
    let mut name = words.next()?.rsplit('/').next()?;
    if name == "env" {
        name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        name = name.rsplit('/').next()?;
    }
    Some(name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_and_else_the_first_line() {
        for (name, first_line, expected) in [
            ("src/lib.rs", "#!/bin/sh", "Rust"),
            ("README.MD", "", "Markdown"),
            ("Cargo.lock", "", "TOML"),
            ("run", "#!/bin/sh -eu", "Shell"),
            ("run", "#!/usr/bin/env -S LANG=C python3.12 -I", "Python"),
            ("run", "#! /usr/local/bin/node", "JavaScript"),
            ("run", "#!", "Other"),
            ("LICENSE", "Copyright", "Other"),
        ] {
            assert_eq!(
                guess(Path::new(name), first_line),
                expected,
                "{name} {first_line}"
            );
        }
    }
}
