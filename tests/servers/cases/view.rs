//! The view `tasks`, and the statements that the documents show.

use std::sync::Arc;

use crate::place::{KIND, Place};
use crate::servers::Seen;

#[tokio::test(flavor = "multi_thread")]
async fn the_view_for_people_agrees_with_what_is_found() {
    let place = Arc::new(Place::new().await);
    let store = place.clone().store().await;
    let tasks = store.one_of_each_state("a queue").await;
    let mut outside = place.outside().await;
    for (status, id) in &tasks {
        let found = store.backend().find(*id).await.expect("it can be read");
        let found = found.expect("it is there");
        assert_eq!(found.status, *status);
        assert_eq!(outside.seen(*id).await, Seen::of(&found));
    }
    let rows = outside.number("SELECT count(*) FROM tasks").await;
    assert_eq!(usize::try_from(rows).expect("few"), tasks.len());
    store.backend().close().await;
}

/// The id in the documents.
const EXAMPLE: &str = "01a1f96d-8046-72a6-b6f1-50ded5cd31d7";

/// The statements of every `sql` block in the documents that is about this database: a block below the
/// comment `<!-- sql: postgres -->` is for that one, any other for all.
fn statements_in_the_documents() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let files = std::fs::read_dir(folder).expect("the documents are there");
    let mut statements = Vec::new();
    for file in files.map(|file| file.expect("it can be listed").path()) {
        if file.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let mut before = "";
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.trim() == "```sql" {
                let block: Vec<_> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
                let marked = before
                    .strip_prefix("<!-- sql: ")
                    .and_then(|rest| rest.strip_suffix(" -->"));
                if marked.is_none_or(|kinds| kinds.split(", ").any(|kind| kind == KIND)) {
                    let block = block.join("\n");
                    let parts = block.split(';').map(str::trim).filter(|part| !part.is_empty());
                    statements.extend(parts.map(str::to_owned));
                }
            }
            if !line.trim().is_empty() {
                before = line.trim();
            }
        }
    }
    statements
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_in_the_documents_finds_rows() {
    let statements = statements_in_the_documents();
    assert!(statements.len() >= 4, "the documents have some: {statements:?}");
    let place = Arc::new(Place::new().await);
    let store = place.clone().store().await;
    let tasks = store.one_of_each_state("a queue").await;
    let mut outside = place.outside().await;
    for statement in statements {
        let statement = statement.replace(EXAMPLE, &tasks[0].1.to_string());
        let rows = outside.rows(&statement).await;
        let rows = rows.unwrap_or_else(|error| panic!("{KIND} says {error} to: {statement}"));
        assert!(rows > 0, "{KIND} finds nothing by: {statement}");
    }
    store.backend().close().await;
}
