//! The tables in the documents are what the code says, word by word: `docs/conformance.md` from the list of
//! cases and the faces each test file lists, the capabilities in `docs/backends.md` from the backends themselves.
//!
//! `cargo xtask tables` writes them again.

mod servers;

#[path = "tables/capabilities.rs"]
mod capabilities;
#[path = "tables/cases.rs"]
mod cases;

use std::path::PathBuf;

/// What to do about a table that differs.
const ADVICE: &str = "run `cargo xtask tables`, then read the difference";

/// A page of the documents.
fn page(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name)
}

/// Whether the tables are written instead of compared.
fn is_writing() -> bool {
    std::env::var_os("TABLES").is_some_and(|value| value == "overwrite")
}

/// A backend's name in the tables, the file that runs the suite against it, and the name of its fixture there.
const BACKENDS: [(&str, &str, &str); 7] = [
    ("dummy", "dummy.rs", "Dummy"),
    ("immediate", "immediate.rs", "Immediate"),
    ("sqlite", "sqlite.rs", "SqliteFile"),
    ("postgres", "postgres.rs", "Schema"),
    ("mysql", "mysql.rs", "Database"),
    ("redis", "redis.rs", "SingleServer"),
    ("redis cluster", "redis_cluster.rs", "Cluster"),
];

/// The faces that the suite runs against this backend. The file's own test compares them with the backend.
fn listed_faces(backend: &str) -> Vec<String> {
    let (_, file, fixture) = BACKENDS
        .iter()
        .find(|(name, ..)| *name == backend)
        .expect("a backend");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = std::fs::read_to_string(&path).expect("the test file is there");
    let listed = source
        .split_once(&format!("conformance!({fixture}: "))
        .and_then(|(_, rest)| rest.split_once(");"))
        .unwrap_or_else(|| panic!("{file} runs the suite against `{fixture}`"))
        .0;
    listed.split(',').map(|face| face.trim().to_owned()).collect()
}
