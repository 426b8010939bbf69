//! The contract of django-tasks, as `docs/django-tasks.md` tells it: every row and every test of theirs
//! is there, and every test of ours that the page names exists.

#[path = "contract/reliability.rs"]
mod reliability;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The numbers of the rows, from and to. Those between were never given.
const ROWS: [(u32, u32); 9] = [
    (1, 8),
    (10, 25),
    (30, 38),
    (40, 56),
    (60, 64),
    (70, 83),
    (90, 99),
    (105, 126),
    (130, 134),
];

/// Where their tests stand, and how many there are.
const THEIRS: [(&str, usize); 14] = [
    ("django-tasks: `test_tasks.py`", 34),
    ("django-tasks: `test_dummy_backend.py`", 18),
    ("django-tasks: `test_immediate_backend.py`", 21),
    ("django-tasks: `test_custom_backend.py`", 9),
    ("django-tasks: `test_utils.py`", 16),
    ("django-tasks: `test_compat.py`", 3),
    ("django-tasks-db: `DatabaseBackendTestCase`", 28),
    ("django-tasks-db: `DatabaseBackendWorkerTestCase`", 33),
    (
        "django-tasks-db: `DatabaseTaskResultTestCase` and the exclusive connection",
        8,
    ),
    ("django-tasks-db: `PruneTaskResultsTestCase`", 12),
    ("django-tasks-db: `DatabaseWorkerProcessTestCase`", 8),
    ("django-tasks-db: ordering, admin, compatibility", 6),
    ("django-tasks-rq: `tests.py`", 29),
    ("Only in Django 6.1", 8),
];

/// Rows whose tests are not there yet.
const PENDING: [&str; 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A chapter of the page, up to the next one.
fn chapter(title: &str) -> String {
    let page = read("docs/django-tasks.md");
    let (_, rest) = page
        .split_once(&format!("\n## {title}\n"))
        .unwrap_or_else(|| panic!("the page has no chapter {title:?}"));
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The cells of the tables of a text, without the lines that head them.
fn table(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .filter(|cells| cells[0].starts_with("DT-") || cells[0].starts_with('`'))
        .collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether the function of this name is a test, or a case of the conformance suite.
fn is_test(file: &str, function: &str) -> bool {
    let Ok(source) = fs::read_to_string(root().join(file)) else {
        return false;
    };
    let is_case = file.starts_with("tests/src/") && source.contains(&format!("\npub async fn {function}("));
    let is_marked = source
        .split("fn ")
        .zip(source.split("fn ").skip(1))
        .any(|(before, after)| {
            let own = before.rsplit('}').next().unwrap_or_default();
            let is_it = after
                .strip_prefix(function)
                .is_some_and(|rest| rest.starts_with('('));
            is_it && (own.contains("#[test]") || own.contains("#[tokio::test"))
        });
    is_case || is_marked || is_listed(&source, function)
}

/// Whether it stands in the list of a macro that makes a test of it for each store.
fn is_listed(source: &str, function: &str) -> bool {
    ["\non_every_store! {", "\non_stores! {"].iter().any(|list| {
        let mut lists = source
            .split(list)
            .skip(1)
            .map(|list| list.split('}').next().unwrap_or_default());
        lists.any(|list| list.split([',', '[', ']']).any(|word| word.trim() == function))
    })
}

/// What is wrong with a name of a test, if anything.
fn complaint(name: &str) -> Option<String> {
    if let Some(program) = name.strip_prefix("ui/") {
        let path = root().join("tests/ui").join(program);
        let is_there = path.with_extension("rs").is_file();
        let is_told = program.starts_with("accept/") || path.with_extension("stderr").is_file();
        return (!is_there || !is_told).then(|| format!("there is no program {name}"));
    }
    let Some((file, function)) = name.split_once("::") else {
        return Some(format!("{name} is no name of a test"));
    };
    (!is_test(file, function)).then(|| format!("{file} has no test {function}"))
}

/// What is wrong with the last cell of a row: tests that are not there, or neither test nor reason.
fn complaints(cells: &[&str]) -> Vec<String> {
    let last = cells[cells.len() - 1];
    let of_row = |complaint: String| format!("{}: {complaint}", cells[0]);
    let names: Vec<_> = last.split("<br>").filter(|part| part.starts_with('`')).collect();
    if names.is_empty() {
        let is_reason = last.split_whitespace().count() >= 5;
        let is_pending = last == "PENDING" && PENDING.contains(&cells[0]);
        let complaint = format!("neither test nor reason: {last:?}");
        return if is_reason || is_pending {
            Vec::new()
        } else {
            vec![of_row(complaint)]
        };
    }
    let names = names.into_iter().flat_map(quoted);
    names.filter_map(complaint).map(of_row).collect()
}

#[test]
fn every_row_of_the_contract_has_an_entry() {
    let chapter = chapter("Row by row");
    let told: Vec<_> = table(&chapter).iter().map(|cells| cells[0].to_owned()).collect();
    let wanted: Vec<_> = ROWS
        .iter()
        .flat_map(|(first, last)| *first..=*last)
        .map(|number| format!("DT-{number:02}"))
        .collect();
    assert_eq!(told, wanted);
}

#[test]
fn every_row_says_what_is_there_what_is_here_and_which_tests_show_it() {
    let chapter = chapter("Row by row");
    let rows = table(&chapter);
    for cells in &rows {
        assert_eq!(cells.len(), 4, "{cells:?}");
        assert!(cells.iter().all(|cell| !cell.trim().is_empty()), "{cells:?}");
    }
    let wrong: Vec<_> = rows.iter().flat_map(|cells| complaints(cells)).collect();
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn each_of_their_tests_has_one_of_ours_or_a_reason() {
    let chapter = chapter("Their tests and ours");
    let mut files = Vec::new();
    for text in chapter.split("\n### ").skip(1) {
        let (heading, _) = text.split_once('\n').expect("a heading is a line");
        let rows = table(text);
        let names: Vec<_> = rows.iter().flat_map(|cells| quoted(cells[0])).collect();
        let different: BTreeSet<_> = names.iter().collect();
        assert_eq!(
            different.len(),
            names.len(),
            "{heading}: a name stands there twice"
        );
        files.push((heading.to_owned(), names.len()));
        let wrong: Vec<_> = rows.iter().flat_map(|cells| complaints(cells)).collect();
        assert_eq!(wrong, [] as [String; 0], "{heading}");
    }
    let wanted: Vec<_> = THEIRS
        .iter()
        .map(|(file, count)| (format!("{file} ({count})"), *count))
        .collect();
    assert_eq!(files, wanted);
    assert_eq!(files.iter().map(|(_, count)| count).sum::<usize>(), 233);
}

#[test]
fn no_row_is_pending_whose_tests_are_there() {
    let both = chapter("Row by row") + &chapter("Their tests and ours");
    let rows = table(&both);
    let pending: Vec<_> = rows
        .iter()
        .filter(|cells| cells[cells.len() - 1] == "PENDING")
        .collect();
    let pending: Vec<_> = pending.iter().map(|cells| cells[0]).collect();
    assert_eq!(pending, PENDING);
}

#[test]
fn the_rust_of_the_guide_stands_in_a_program_that_compiles() {
    let program = read("tests/ui/accept/coming_from_django.rs");
    let program: Vec<_> = program.lines().map(str::trim).collect();
    let guide = chapter("Side by side");
    let blocks: Vec<_> = guide.split("\n```rust\n").skip(1).collect();
    assert!(blocks.len() >= 5, "{} blocks", blocks.len());
    for block in blocks {
        let block = block.split("\n```").next().unwrap_or_default();
        let lines: Vec<_> = block.lines().map(str::trim).collect();
        assert!(program.windows(lines.len()).any(|part| part == lines), "{block}");
    }
}

#[test]
fn a_name_that_is_no_test_is_noticed() {
    let here = "tests/contract.rs";
    assert!(is_test(here, "a_name_that_is_no_test_is_noticed"));
    assert!(!is_test(here, "is_test"), "a function that is no test");
    assert!(
        !is_test(here, "a_name_that_is_no_test"),
        "the beginning of a name"
    );
    assert!(!is_test("tests/nowhere.rs", "a_name_that_is_no_test_is_noticed"));
    assert!(is_test(
        "tests/src/keeper/find.rs",
        "none_when_there_is_no_such_task"
    ));
    assert_eq!(complaint("ui/accept/bare"), None);
    for wrong in ["ui/refuse/bare", "a name", "tests/contract.rs::root"] {
        assert!(complaint(wrong).is_some(), "{wrong}");
    }
    assert!(complaints(&["DT-01", "there", "here", "no reason"]).len() == 1);
    assert!(complaints(&["DT-01", "there", "here", "PENDING"]).len() == 1);
    assert!(complaints(&["DT-01", "there", "here", "Nothing of this is in Rust."]).is_empty());
}
