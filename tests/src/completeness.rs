//! Whether the suite is whole: every case is listed, every promise of the contract is a case.

use std::fs;
use std::path::{Path, PathBuf};

const FACES: [&str; 6] = ["producer", "keeper", "forgetful", "worker", "operator", "durable"];

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The families of a face: the name of each, and its source.
fn families(face: &str) -> Vec<(String, String)> {
    let folder = fs::read_dir(here().join(face)).expect("a face has a folder");
    let paths = folder.map(|entry| entry.expect("a folder can be read").path());
    let name = |path: &Path| path.file_stem().expect("a file").to_string_lossy().into_owned();
    paths.map(|path| (name(&path), read(&path))).collect()
}

/// The names of the cases in a source file.
fn cases(source: &str) -> Vec<&str> {
    source
        .split("\npub async fn ")
        .skip(1)
        .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
        .collect()
}

#[test]
fn every_case_is_listed_with_its_face() {
    let mut forgotten = Vec::new();
    for face in FACES {
        let list = read(&here().join(format!("{face}.rs")));
        for (family, source) in families(face) {
            let heading = format!("{face}::{family}:");
            let listed = list.split_once(&heading).map_or("", |(_, rest)| rest);
            let listed = listed.split(");").next().unwrap_or_default();
            let names: Vec<_> = listed.split(',').map(str::trim).collect();
            let missing = cases(&source).into_iter().filter(|case| !names.contains(case));
            forgotten.extend(missing.map(|case| format!("{face}::{family}::{case}")));
        }
    }
    assert_eq!(forgotten, [] as [String; 0], "these cases never run");
}

/// The text of documentation comments without line breaks and without the targets of links.
fn documentation(source: &str) -> String {
    let lines = source.lines().filter_map(|line| line.trim().strip_prefix("///"));
    let text = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        plain.push(']');
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain + rest
}

/// The bullets below each `# Behavior` of a source file.
fn promises(source: &str) -> Vec<String> {
    let mut promises: Vec<String> = Vec::new();
    let mut inside = false;
    for line in source.lines().map(str::trim) {
        let Some(text) = line.strip_prefix("///").map(str::trim) else {
            inside = false;
            continue;
        };
        match (text, text.strip_prefix("- ")) {
            ("# Behavior", _) => inside = true,
            (_, Some(bullet)) if inside => promises.push(bullet.to_owned()),
            ("", _) => {}
            (more, None) if inside => {
                if let Some(last) = promises.last_mut() {
                    last.push(' ');
                    last.push_str(more);
                }
            }
            _ => {}
        }
    }
    promises
        .iter()
        .map(|promise| documentation(&format!("/// {promise}")))
        .collect()
}

#[test]
fn every_promise_of_the_contract_is_the_documentation_of_a_case() {
    let core = here().join("../../task-core/src");
    let contract: Vec<String> = ["backend.rs", "backend/queue.rs", "backend/admin.rs"]
        .iter()
        .flat_map(|file| promises(&read(&core.join(file))))
        .collect();
    assert!(
        contract.len() > 30,
        "the contract was not understood: {contract:?}"
    );
    let told: String = FACES
        .iter()
        .flat_map(|face| families(face))
        .map(|(_, source)| documentation(&source))
        .collect();
    let bare = |promise: &str| promise.trim_end_matches('.').to_owned();
    let missing: Vec<_> = contract
        .iter()
        .filter(|promise| !told.contains(&bare(promise)))
        .collect();
    assert!(missing.is_empty(), "no case says so: {missing:#?}");
}
