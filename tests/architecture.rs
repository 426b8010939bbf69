//! The shape of the workspace, held by tests: who may depend on whom, where a foreign crate may be
//! named, where time is read, how long a file may grow.
//!
//! A rule that turns out to be wrong is changed here, in the same commit as the code that needs it, and
//! the commit says why.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of our crates may depend on. Names may stand here before the crate exists.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("task-macros", &[]),
    ("task-core", &["task-macros"]),
    ("task-backends", &["task-core"]),
    ("task-worker", &["task-core"]),
    ("task-users", &["task-core"]),
    ("task-web", &["task-core", "task-users"]),
    (
        "task-cli",
        &[
            "task-macros",
            "task-core",
            "task-backends",
            "task-worker",
            "task-users",
            "task-web",
        ],
    ),
    // As any backend of other people's: what it needs is public.
    ("memory-backend", &["task-core"]),
    // Definitions that a test needs beside newer ones of the same names.
    ("former", &["task-core"]),
    // It must build when everything else does not.
    ("xtask", &[]),
];

/// Crates that may depend on anything above, and that nothing depends on.
const OUTSIDE: [&str; 6] = [
    "tests",
    "editions",
    "examples",
    "memory-backend",
    "benches",
    "xtask",
];

/// The only crates that may depend on a foreign crate, so that replacing it changes one place. Tests and
/// benches speak SQL and Redis' commands themselves where they look behind a backend's back.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["task-backends", "tests", "benches"]),
    ("libsqlite3-sys", &["task-backends", "tests", "benches"]),
    ("redis", &["task-backends", "tests", "benches"]),
    ("fred", &["task-backends"]),
    ("rustis", &["task-backends"]),
    ("deadpool-redis", &["task-backends"]),
    ("bb8-redis", &["task-backends"]),
    ("axum", &["task-web"]),
    ("hyper", &["task-cli"]),
    ("hyper-util", &["task-cli"]),
    ("http-body-util", &["task-cli"]),
    ("prometheus-client", &["task-cli"]),
    ("sd-notify", &["task-cli"]),
    ("opentelemetry", &["task-core", "tests"]),
    ("opentelemetry_sdk", &["tests"]),
    ("tracing-opentelemetry", &["task-core", "tests"]),
    ("clap", &["task-cli", "xtask", "examples", "benches"]),
    ("clap_complete", &["task-cli"]),
    ("clap_mangen", &["task-cli"]),
    ("inventory", &["task-core"]),
    ("syn", &["task-macros"]),
    ("quote", &["task-macros"]),
    ("proc-macro2", &["task-macros"]),
];

/// How many lines of code, tests included and comments not, a file may have.
const LONGEST_FILE: usize = 400;

/// Files that may be longer, each with the reason why it cannot be two files.
const LONGER_FILES: &[(&str, &str)] = &[];

#[test]
fn macros_depend_on_nothing_of_ours() {
    assert_direction(&["task-macros"]);
}

#[test]
fn core_depends_only_on_the_macros() {
    assert_direction(&["task-core"]);
}

#[test]
fn backends_worker_and_users_know_only_core() {
    assert_direction(&["task-backends", "task-worker", "task-users"]);
}

#[test]
fn the_web_knows_only_core_and_users() {
    assert_direction(&["task-web"]);
}

#[test]
fn the_command_line_knows_only_libraries() {
    assert_direction(&["task-cli"]);
}

#[test]
fn the_example_of_a_backend_knows_only_core() {
    assert_direction(&["memory-backend"]);
}

#[test]
fn the_workspace_commands_build_without_the_workspace() {
    assert_direction(&["xtask"]);
}

#[test]
fn nothing_depends_on_tests_examples_benches_or_xtask() {
    let broken: Vec<String> = packages()
        .iter()
        .flat_map(|package| {
            package
                .dependencies
                .iter()
                .map(move |dependency| (&package.name, dependency))
        })
        .filter(|(_, dependency)| OUTSIDE.contains(&dependency.as_str()))
        .map(|(package, dependency)| format!("{package} depends on {dependency}"))
        .collect();
    assert_none(
        &broken,
        "tests, examples, benches and xtask are the outside of the house",
    );
}

#[test]
fn every_crate_has_its_place_in_these_rules() {
    let unplaced: Vec<String> = packages()
        .into_iter()
        .map(|package| package.name)
        .filter(|name| allowed(name).is_none() && !OUTSIDE.contains(&name.as_str()))
        .collect();
    assert_none(&unplaced, "a new crate needs a line in DIRECTIONS");
}

#[test]
fn every_foreign_crate_has_one_home() {
    let homes: BTreeMap<_, _> = HOMES.iter().copied().collect();
    let mut broken = Vec::new();
    for package in packages() {
        for dependency in &package.dependencies {
            if let Some(homes) = homes.get(dependency.as_str())
                && !homes.contains(&package.name.as_str())
            {
                broken.push(format!(
                    "{} depends on {dependency}, at home in {}",
                    package.name,
                    homes.join(", ")
                ));
            }
        }
    }
    assert_none(&broken, "a foreign crate is used behind one door");
}

#[test]
fn sqlx_is_named_only_by_the_sql_modules() {
    // The transactions of applications are the one place where a driver's type is public.
    let elsewhere =
        |file: &SourceFile| !file.below_src.starts_with("sql") && file.below_src != "transaction.rs";
    let broken = files_that(&["task-backends"], |file| {
        elsewhere(file) && mentions(&code(&file.text), "sqlx")
    });
    assert_none(&broken, "sqlx belongs to src/sql* and transaction.rs");
}

#[test]
fn core_mentions_no_database_web_or_command_line() {
    for foreign in ["sqlx", "axum", "clap"] {
        let broken = files_that(&["task-core"], |file| mentions(&code(&file.text), foreign));
        assert_none(&broken, &format!("core knows nothing of {foreign}"));
    }
}

#[test]
fn core_reads_the_time_only_from_its_clock() {
    const NOW: [&str; 4] = ["SystemTime::now", "Timestamp::now", "Zoned::now", "Instant::now"];
    for now in NOW {
        let broken = files_that(&["task-core"], |file| match file.below_src.as_str() {
            "clock.rs" | "tests.rs" => false,
            // How long an attempt took is measured here, and never compared with a moment.
            "execute.rs" if now == "Instant::now" => false,
            _ => without_test_modules(&code(&file.text)).contains(now),
        });
        assert_none(
            &broken,
            &format!("{now} comes from clock.rs, so that a test can move it"),
        );
    }
}

#[test]
fn no_file_outgrows_its_reader() {
    let names: Vec<String> = packages().into_iter().map(|package| package.name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = files_that(&names, |file| lines_of_code(&file.text) > LONGEST_FILE);
    let excused = |file: &str| LONGER_FILES.iter().any(|(name, _reason)| *name == file);

    let broken: Vec<String> = long.iter().filter(|file| !excused(file)).cloned().collect();
    assert_none(
        &broken,
        &format!("a file has at most {LONGEST_FILE} lines of code; split it by duty"),
    );

    let idle: Vec<String> = LONGER_FILES
        .iter()
        .filter(|(name, _reason)| !long.iter().any(|file| file == name))
        .map(|(name, reason)| format!("{name} ({reason})"))
        .collect();
    assert_none(&idle, "these exceptions are not needed any more");
}

#[test]
fn comments_are_not_code() {
    let source = "/// sqlx\nlet a = 1; // sqlx\n/* sqlx /* sqlx */\nsqlx */ let b = 2;\n";
    assert_eq!(code(source), "\nlet a = 1; \n let b = 2;\n");
}

#[test]
fn slashes_in_literals_are_not_comments() {
    for source in [
        r#"let a = "// \" //"; b"#,
        r##"r#"" // "#; b"##,
        r"'\'' '/' '\\' '\u{2f}'; b",
        "&'a str; b",
    ] {
        assert_eq!(code(source), source);
    }
}

#[test]
fn only_whole_words_are_mentions() {
    assert!(mentions("use sqlx::Row;", "sqlx"));
    assert!(!mentions("sqlx_core, my_sqlx, clapped", "sqlx"));
}

#[test]
fn test_modules_are_set_aside_and_nothing_else() {
    let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n#[cfg(test)]\nmod d;\nfn e() {}\n";
    assert_eq!(
        without_test_modules(source),
        "fn a() {}\nfn c() {}\n#[cfg(test)]\nmod d;\nfn e() {}\n"
    );
}

/// One crate of the workspace.
struct Package {
    name: String,
    folder: PathBuf,
    /// What it needs to be built, ours and foreign; what only its own tests need is left out.
    dependencies: Vec<String>,
}

/// One file below a crate's `src`.
struct SourceFile {
    /// As seen from the workspace: `task-core/src/clock.rs`.
    name: String,
    /// As seen from `src`: `clock.rs`.
    below_src: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate has a folder of its own")
}

/// The crates of the workspace, as Cargo reads their manifests.
fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    packages.iter().map(package).collect()
}

fn package(metadata: &Value) -> Package {
    let manifest = metadata["manifest_path"]
        .as_str()
        .expect("a package has a manifest");
    let dependencies = metadata["dependencies"]
        .as_array()
        .expect("a package lists its dependencies");
    Package {
        name: metadata["name"]
            .as_str()
            .expect("a package has a name")
            .to_owned(),
        folder: Path::new(manifest)
            .parent()
            .expect("a manifest lies in a folder")
            .to_owned(),
        dependencies: dependencies
            .iter()
            .filter(|dependency| dependency["kind"] != "dev")
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect(),
    }
}

/// What a crate may depend on among ours, or nothing if the rules do not name it.
fn allowed(name: &str) -> Option<&'static [&'static str]> {
    DIRECTIONS
        .iter()
        .find(|(from, _)| *from == name)
        .map(|(_, to)| *to)
}

fn assert_direction(crates: &[&str]) {
    let packages = packages();
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut broken = Vec::new();
    for package in packages
        .iter()
        .filter(|package| crates.contains(&package.name.as_str()))
    {
        let allowed = allowed(&package.name).expect("only crates in DIRECTIONS are asked about");
        for dependency in package.dependencies.iter().filter(|dependency| ours(dependency)) {
            if !allowed.contains(&dependency.as_str()) {
                broken.push(format!(
                    "{} depends on {dependency}, allowed: {allowed:?}",
                    package.name
                ));
            }
        }
    }
    assert_none(&broken, "dependencies point one way");
}

fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// The names of the source files of some crates for which `wanted` holds.
fn files_that(crates: &[&str], wanted: impl Fn(&SourceFile) -> bool) -> Vec<String> {
    let mut files = Vec::new();
    for package in packages()
        .iter()
        .filter(|package| crates.contains(&package.name.as_str()))
    {
        let src = package.folder.join("src");
        collect(&src, &src, &mut files);
    }
    files
        .into_iter()
        .filter(|file| wanted(file))
        .map(|file| file.name)
        .collect()
}

fn collect(src: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(folder).expect("a source folder can be listed");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a source folder can be listed").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(src, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = |top: &Path| path.strip_prefix(top).unwrap_or(&path).display().to_string();
            let text = fs::read_to_string(&path).expect("a source file can be read");
            files.push(SourceFile {
                name: below(root()),
                below_src: below(src),
                text,
            });
        }
    }
}

fn lines_of_code(source: &str) -> usize {
    code(source)
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count()
}

/// Whether the code names something as a whole word.
fn mentions(code: &str, name: &str) -> bool {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|word| word == name)
}

/// The code without its inline test modules, which rustfmt ends with a brace in the first column.
fn without_test_modules(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut lines = code.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let module = |next: &&str| next.starts_with("mod ") && next.trim_end().ends_with('{');
        if line.trim_end() == "#[cfg(test)]" && lines.peek().is_some_and(module) {
            lines.by_ref().find(|line| line.trim_end() == "}");
        } else {
            kept.push_str(line);
        }
    }
    kept
}

/// The source without its comments; line ends stay, except inside block comments.
fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            rest = &rest[block_comment(rest)..];
        } else {
            let length = literal(rest).unwrap_or(next.len_utf8());
            code.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    code
}

/// The length of the block comment at the beginning; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(mark) = rest[at..].find(['/', '*']).map(|found| at + found) {
        (depth, at) = match rest.get(mark..mark + 2) {
            Some("/*") => (depth + 1, mark + 2),
            Some("*/") if depth == 1 => return mark + 2,
            Some("*/") => (depth - 1, mark + 2),
            _ => (depth, mark + 1),
        };
    }
    rest.len()
}

/// The length of the string or character at the beginning, if one begins here.
fn literal(rest: &str) -> Option<usize> {
    let mut chars = rest.chars();
    match (chars.next()?, chars.next()?, chars.next()) {
        ('r', '"' | '#', _) => raw_string(rest),
        ('"', ..) => Some(quoted(rest, '"')),
        ('\'', '\\', _) => Some(quoted(rest, '\'')),
        ('\'', one, Some('\'')) => Some(2 + one.len_utf8()),
        _ => None,
    }
}

fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    let body = rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(1 + hashes + 1 + length)
}

fn quoted(rest: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == end => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}
