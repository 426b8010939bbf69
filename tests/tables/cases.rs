//! `docs/conformance.md`: which case runs against which backend.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use conformance::{Case, cases, faces};

use crate::{ADVICE, BACKENDS, is_writing, listed_faces, page};

const HEAD: &str = "\
# Conformance

What every backend must do is one list of cases, the package `tests`, library `conformance`. Each case is a test, and its name
says what is true when it passes. A backend runs all cases of the faces it has; which faces it has, it declares itself, and a
test of its own compares that with what is listed here. So no case is left out without a declaration.
[backends.md](backends.md) has the capabilities; [custom-backend.md](custom-backend.md) says how another backend runs the suite.

`run`: a test of this name runs against the backend in every `cargo xtask test`, and a failure fails the whole.
`not offered`: the backend declares that it does not have the face. What only some do within a face (priorities, due times,
async tasks) is tested both ways: accepted where it is declared, refused where it is not.

This page is written by `cargo xtask tables`; a test compares it with the code.
";

/// Which faces each backend has.
fn listed() -> BTreeMap<&'static str, Vec<String>> {
    BACKENDS
        .iter()
        .map(|(name, ..)| (*name, listed_faces(name)))
        .collect()
}

fn runs(listed: &BTreeMap<&str, Vec<String>>, backend: &str, face: &str) -> bool {
    listed[backend].iter().any(|has| has == face)
}

fn written() -> String {
    let (cases, listed) = (cases(), listed());
    let mut text = HEAD.to_owned();
    let mut faces: Vec<&str> = cases.iter().map(|case| case.face).collect();
    faces.dedup();
    for face in faces {
        let of_face: Vec<Case> = cases.iter().copied().filter(|case| case.face == face).collect();
        write!(text, "\n## {face}: {} cases\n\n", of_face.len()).expect("a String takes it");
        let without: Vec<_> = BACKENDS
            .iter()
            .map(|(name, ..)| *name)
            .filter(|name| !runs(&listed, name, face))
            .collect();
        if !without.is_empty() {
            let why = faces::declared_by(face);
            write!(text, "Not offered by {}: {why}.\n\n", without.join(", ")).expect("a String takes it");
        }
        table(&mut text, &of_face, &listed);
    }
    text
}

fn table(text: &mut String, cases: &[Case], listed: &BTreeMap<&str, Vec<String>>) {
    text.push_str("| case |");
    for (name, ..) in BACKENDS {
        write!(text, " {name} |").expect("a String takes it");
    }
    text.push_str("\n| --- |");
    text.push_str(&" --- |".repeat(BACKENDS.len()));
    for case in cases {
        write!(text, "\n| {}: {} |", case.family, case.name.replace('_', " ")).expect("a String takes it");
        for (name, ..) in BACKENDS {
            let cell = if runs(listed, name, case.face) {
                "run"
            } else {
                "not offered"
            };
            write!(text, " {cell} |").expect("a String takes it");
        }
    }
    text.push('\n');
}

#[test]
fn the_page_of_cases_is_what_the_suite_runs() {
    let (path, written) = (page("conformance.md"), written());
    if is_writing() {
        std::fs::write(&path, &written).expect("the page can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found
        .lines()
        .zip(written.lines())
        .find(|(found, written)| found != written);
    assert!(
        found == written,
        "docs/conformance.md: {ADVICE}; it begins to differ at {differs:?}"
    );
}

#[test]
fn no_case_of_the_suite_is_ignored() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mark = concat!("#[", "ignore");
    for (name, file, _) in BACKENDS {
        let source = std::fs::read_to_string(folder.join(file)).expect("the test file is there");
        assert!(!source.contains(mark), "{name}");
    }
    let macros = std::fs::read_to_string(folder.join("src/lib.rs")).expect("the suite is there");
    assert!(!macros.contains(mark));
}
