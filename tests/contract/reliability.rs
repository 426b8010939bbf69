//! `docs/reliability.md`: every fault has its row, and every "yes" is a test that runs on that backend.

use std::fs;

use super::{complaint, quoted, read, root};

const BACKENDS: [&str; 4] = ["postgres", "mysql", "sqlite", "redis"];

/// The rows of both tables: faults that trusted systems test, and scenarios of their tests.
fn names() -> Vec<String> {
    let faults = (1..=34).map(|number| format!("F{number}"));
    faults
        .chain((1..=21).map(|number| format!("S{number}")))
        .collect()
}

fn rows(page: &str) -> Vec<Vec<&str>> {
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = lines.map(|line| line.split(" | ").collect::<Vec<_>>());
    let is_row = |cells: &Vec<&str>| cells[0].starts_with(['F', 'S']) && cells[0][1..].parse::<u32>().is_ok();
    rows.filter(is_row).collect()
}

/// The list of a macro that makes tests of functions, where this function stands in it.
fn list_with<'s>(source: &'s str, name: &str, function: &str) -> Option<&'s str> {
    let opening = format!("\n{name}! {{");
    let mut lists = source
        .split(&opening)
        .skip(1)
        .map(|list| list.split('}').next().unwrap_or_default());
    lists.find(|list| list.split([',', '[', ']']).any(|word| word.trim() == function))
}

/// Whether this test runs on this backend.
fn runs_on(test: &str, backend: &str) -> bool {
    let Some((file, function)) = test.split_once("::") else {
        return false;
    };
    let source = fs::read_to_string(root().join(file)).unwrap_or_default();
    // The suite of cases that every backend runs.
    if file.starts_with("tests/src/") || list_with(&source, "on_every_store", function).is_some() {
        return true;
    }
    if let Some(list) = list_with(&source, "on_stores", function) {
        return list.split_whitespace().any(|word| word == backend);
    }
    match file.strip_prefix("tests/").unwrap_or_default() {
        "servers/cases/transaction.rs" | "servers/cases/view.rs" => backend != "redis",
        cases if cases.starts_with("servers/cases/") => backend == "postgres" || backend == "mysql",
        own if own.starts_with("postgres") || own.starts_with("mysql") || own.starts_with("redis") => {
            own.starts_with(backend)
        }
        // Whatever names no other store works on a file.
        _ => backend == "sqlite",
    }
}

#[test]
fn every_fault_and_every_scenario_has_a_row() {
    let page = read("docs/reliability.md");
    let told: Vec<_> = rows(&page).iter().map(|cells| cells[0].to_owned()).collect();
    assert_eq!(told, names());
}

#[test]
fn every_yes_is_a_test_that_runs_on_that_backend() {
    let page = read("docs/reliability.md");
    let mut wrong: Vec<String> = Vec::new();
    for cells in rows(&page) {
        let [number, _, _, tests, results @ ..] = cells.as_slice() else {
            panic!("a short row: {cells:?}");
        };
        assert_eq!(results.len(), BACKENDS.len(), "{cells:?}");
        let tests = quoted(tests);
        wrong.extend(
            tests
                .iter()
                .filter_map(|test| complaint(test))
                .map(|what| format!("{number}: {what}")),
        );
        for (result, backend) in results.iter().zip(BACKENDS) {
            let is_told = match *result {
                "yes" => tests.iter().any(|test| runs_on(test, backend)),
                "not yet" => true,
                reason => reason
                    .strip_prefix("no: ")
                    .is_some_and(|reason| !reason.is_empty()),
            };
            if !is_told {
                wrong.push(format!("{number}: {result:?} on {backend}, with {tests:?}"));
            }
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn on_which_backend_a_test_runs_is_known() {
    let runs = |test: &str| BACKENDS.map(|backend| runs_on(test, backend));
    let kills = "tests/crash/kills.rs::ten_kills_at_random_moments_leave_an_exact_ledger";
    assert_eq!(runs(kills), [true; 4]);
    let all_on_a_file =
        "tests/crash/kills.rs::a_hundred_thousand_tasks_end_successful_though_two_of_four_workers_are_killed";
    assert_eq!(runs(all_on_a_file), [false, false, true, false]);
    let held =
        "tests/outages/held.rs::a_transaction_that_was_cut_off_before_its_commit_holds_nothing_for_long";
    assert_eq!(runs(held), [true, true, false, false]);
    assert_eq!(
        runs("tests/redis/heals.rs::whatever"),
        [false, false, false, true]
    );
    assert_eq!(runs("no name"), [false; 4]);
}
