//! Licences, banned crates, sources and advisories of everything we depend on.
//!
//! `cargo deny` does this where it is installed. Where it is not, licences and sources are still checked
//! here, the licences against the same list, and what was not checked is said.

use std::fs;

use serde_json::Value;

use crate::cargo::{cargo, has, workspace_root};
use crate::failure::{Failure, Result};
use crate::process;

/// Where every package that is not ours comes from.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks what can be checked here, and returns what could not.
pub fn check() -> Result<Option<String>> {
    if has("deny") {
        return with_cargo_deny();
    }
    by_ourselves()?;
    Ok(Some(
        "cargo-deny is not installed: advisories and bans NOT checked".to_owned(),
    ))
}

fn with_cargo_deny() -> Result<Option<String>> {
    let advice = "cargo-deny's explanation is above; the rules are in deny.toml.";
    process::run(
        cargo().args(["deny", "check", "licenses", "bans", "sources"]),
        advice,
    )?;
    // Asked for by itself: a database that cannot be had is not the same as a database with bad news.
    println!("fetching the advisory database");
    if !process::succeeds(cargo().args(["deny", "fetch", "db"])) {
        return Ok(Some(
            "the advisory database cannot be had: advisories NOT checked".to_owned(),
        ));
    }
    process::run(
        cargo().args(["deny", "check", "--disable-fetch", "advisories"]),
        advice,
    )?;
    Ok(None)
}

fn by_ourselves() -> Result<()> {
    let allowed = allowed_licences()?;
    let metadata = process::read(
        cargo().args(["metadata", "--format-version", "1"]),
        "Cargo's explanation is above.",
    )?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| {
        Failure::new(
            format!("`cargo metadata` cannot be read: {error}"),
            "Is this Cargo very new?",
        )
    })?;
    let packages = metadata["packages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();

    let refused: Vec<String> = packages
        .iter()
        .filter_map(|package| refusal(package, &allowed))
        .collect();
    if refused.is_empty() {
        println!(
            "{} packages are ours or from crates.io, with a licence from the list in deny.toml",
            packages.len()
        );
        return Ok(());
    }
    Err(Failure::new(
        format!("dependencies we cannot accept:\n  {}", refused.join("\n  ")),
        "Replace them, or add the licence to `licenses.allow` in deny.toml if we can live with it.",
    ))
}

fn allowed_licences() -> Result<Vec<String>> {
    let advice = "It lists the licences we accept as `licenses.allow`.";
    let text = fs::read_to_string(workspace_root().join("deny.toml"))
        .map_err(|error| Failure::new(format!("deny.toml cannot be read: {error}"), advice))?;
    let rules: toml::Table = text
        .parse()
        .map_err(|error| Failure::new(format!("deny.toml is not understood: {error}"), advice))?;
    let allowed = rules
        .get("licenses")
        .and_then(|licences| licences.get("allow"))
        .and_then(toml::Value::as_array);
    let allowed = allowed.ok_or_else(|| Failure::new("deny.toml has no list `licenses.allow`", advice))?;
    Ok(allowed
        .iter()
        .filter_map(toml::Value::as_str)
        .map(str::to_owned)
        .collect())
}

/// Why a package cannot be used, if so. The expression decides; a licence given only as a file is refused
/// because nothing here reads it.
fn refusal(package: &Value, allowed: &[String]) -> Option<String> {
    let name = format!("{} {}", package["name"].as_str()?, package["version"].as_str()?);
    if let Some(source) = package["source"].as_str().filter(|source| *source != SOURCE) {
        return Some(format!("{name}: comes from {source}"));
    }
    let Some(expression) = package["license"].as_str() else {
        return Some(format!("{name}: no licence expression"));
    };
    match Expression::new(expression).allowed(allowed) {
        Some(true) => None,
        Some(false) => Some(format!("{name}: {expression}")),
        None => Some(format!("{name}: `{expression}` is not a licence expression")),
    }
}

/// A licence expression being read: `MIT OR (Apache-2.0 WITH LLVM-exception AND Zlib)`.
struct Expression {
    /// The words still to be read, the next one last.
    words: Vec<String>,
}

impl Expression {
    fn new(text: &str) -> Self {
        // Old manifests separate alternatives with a slash.
        let spaced = text.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        Self {
            words: spaced.split_whitespace().rev().map(str::to_owned).collect(),
        }
    }

    /// Whether the allowed licences satisfy the expression; nothing when it is not one.
    fn allowed(mut self, allowed: &[String]) -> Option<bool> {
        let satisfied = self.alternatives(allowed)?;
        self.words.is_empty().then_some(satisfied)
    }

    fn alternatives(&mut self, allowed: &[String]) -> Option<bool> {
        let mut satisfied = self.conjunction(allowed)?;
        while self.follows("OR") {
            satisfied |= self.conjunction(allowed)?;
        }
        Some(satisfied)
    }

    fn conjunction(&mut self, allowed: &[String]) -> Option<bool> {
        let mut satisfied = self.licence(allowed)?;
        while self.follows("AND") {
            satisfied &= self.licence(allowed)?;
        }
        Some(satisfied)
    }

    fn licence(&mut self, allowed: &[String]) -> Option<bool> {
        if self.follows("(") {
            let satisfied = self.alternatives(allowed)?;
            return self.follows(")").then_some(satisfied);
        }
        let mut licence = self
            .words
            .pop()
            .filter(|word| !["AND", "OR", "WITH", ")"].contains(&word.as_str()))?;
        if self.follows("WITH") {
            licence = format!("{licence} WITH {}", self.words.pop()?);
        }
        Some(allowed.contains(&licence))
    }

    /// Reads the next word if it is this one.
    fn follows(&mut self, word: &str) -> bool {
        self.words.pop_if(|next| next == word).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(expression: &str) -> Option<bool> {
        let list = ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        Expression::new(expression).allowed(&list)
    }

    #[test]
    fn one_allowed_alternative_is_enough() {
        assert_eq!(allowed("MIT"), Some(true));
        assert_eq!(allowed("GPL-3.0 OR MIT"), Some(true));
        assert_eq!(allowed("GPL-3.0/MIT"), Some(true));
        assert_eq!(allowed("GPL-3.0"), Some(false));
    }

    #[test]
    fn both_sides_of_an_and_must_be_allowed() {
        assert_eq!(allowed("MIT AND Zlib"), Some(true));
        assert_eq!(allowed("MIT AND GPL-3.0"), Some(false));
        assert_eq!(allowed("GPL-3.0 AND MIT OR Zlib"), Some(true));
        assert_eq!(allowed("GPL-3.0 AND (MIT OR Zlib)"), Some(false));
        assert_eq!(allowed("(MIT OR GPL-3.0) AND Zlib"), Some(true));
    }

    #[test]
    fn an_exception_is_part_of_the_licence() {
        assert_eq!(allowed("Apache-2.0 WITH LLVM-exception"), Some(true));
        assert_eq!(allowed("Apache-2.0"), Some(false));
        assert_eq!(allowed("Apache-2.0 WITH Classpath-exception-2.0"), Some(false));
    }

    #[test]
    fn what_is_no_expression_is_not_allowed() {
        for nonsense in [
            "", "MIT OR", "OR MIT", "MIT Zlib", "(MIT", "MIT)", "MIT WITH", "()",
        ] {
            assert_eq!(allowed(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_refused_package_is_named_with_its_licence() {
        let list = ["MIT".to_owned()];
        let package =
            |licence: Value| serde_json::json!({ "name": "some", "version": "1.2.3", "license": licence });
        assert_eq!(refusal(&package("MIT".into()), &list), None);
        assert_eq!(
            refusal(&package("GPL-3.0".into()), &list).as_deref(),
            Some("some 1.2.3: GPL-3.0")
        );
        assert_eq!(
            refusal(&package(Value::Null), &list).as_deref(),
            Some("some 1.2.3: no licence expression")
        );
    }

    #[test]
    fn a_package_from_elsewhere_is_refused() {
        let mut package = serde_json::json!({ "name": "some", "version": "1.2.3", "license": "MIT" });
        let list = ["MIT".to_owned()];
        package["source"] = SOURCE.into();
        assert_eq!(refusal(&package, &list), None);
        package["source"] = "git+https://example.org".into();
        assert_eq!(
            refusal(&package, &list).as_deref(),
            Some("some 1.2.3: comes from git+https://example.org")
        );
    }

    #[test]
    fn the_list_of_the_workspace_can_be_read() {
        assert!(allowed_licences().unwrap().contains(&"MIT".to_owned()));
    }
}
