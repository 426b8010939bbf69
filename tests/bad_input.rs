//! Whatever is wrong with what a person typed, with the settings, the environment, the file or
//! the disk: a sentence that says what, where and what to do, the documented exit code, and
//! every task that was accepted before still runs once the cause is cured.

mod system;

#[path = "bad_input/arguments.rs"]
mod arguments;
#[path = "bad_input/damage.rs"]
mod damage;
#[path = "bad_input/disk.rs"]
mod disk;
#[path = "bad_input/file.rs"]
mod file;
#[path = "bad_input/mounts.rs"]
mod mounts;
#[path = "bad_input/words.rs"]
mod words;

use conformance::executions::record;
use system::{Place, Site};
use task_core::{TaskId, TaskStatus};

/// An id that no task has.
const NOBODY: &str = "01a1f96d-8046-72a6-b6f1-50ded5cd31d7";

/// Commands that need the store, each well-formed.
const COMMANDS: [&[&str]; 6] = [
    &["enqueue", "conformance::nothing"],
    &["list"],
    &["counts"],
    &["workers"],
    &["prune"],
    &["run", "--batch"],
];

/// What is documented is tested: each row names a test that is there.
#[test]
fn every_row_of_the_manual_names_a_test_that_is_there() {
    let manual = include_str!("../docs/cli.md");
    let (_, section) = manual
        .split_once("## When something is wrong")
        .expect("the section is there");
    let rows = section.lines().filter(|line| line.contains(".rs` `"));
    let mut seen = 0;
    for row in rows {
        let words: Vec<&str> = row.split('`').collect();
        let file = words
            .iter()
            .position(|word| word.ends_with(".rs"))
            .expect("a file");
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(words[file]);
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {row}"));
        assert!(source.contains(&format!("fn {}()", words[file + 2])), "{row}");
        seen += 1;
    }
    assert!(seen > 20, "only {seen} rows");
}

/// A site with so many accepted tasks, and nobody who has its file open.
async fn accepted(count: u32) -> (Site, Vec<TaskId>) {
    accepted_at(Site::new(), count).await
}

/// The same at this site.
async fn accepted_at(site: Site, count: u32) -> (Site, Vec<TaskId>) {
    let place = Place::at(site).await;
    let ids = place.enqueue((0..count).map(record::new)).await;
    (place.leave().await, ids)
}

/// Everything that was accepted is there, runs now, and ends well.
async fn all_run(site: Site, ids: &[TaskId]) {
    site.run(&["run", "--batch"]).await.exits_with(0);
    let place = Place::at(site).await;
    for id in ids {
        let record = place.find(*id).await;
        assert_eq!(record.status, TaskStatus::Successful, "{record:?}");
    }
    place.assert_clean().await;
}
