//! The table of capabilities in `docs/backends.md`: a column for each backend, as it declares itself.

use conformance::{cases, faces};
use task_backends::{DummyBackend, ImmediateBackend};
use task_core::TaskBackend;

use crate::{ADVICE, BACKENDS, is_writing, listed_faces, page};

const BEGINS: &str = "<!-- capabilities: written by `cargo xtask tables` -->\n";
const ENDS: &str = "<!-- end of capabilities -->";

/// What a capability or a face means to a reader.
fn in_words(name: &str) -> &str {
    match name {
        "priority" => "priorities are accepted (`priority`)",
        "defer" => "due times are accepted (`defer`)",
        "async_task" => "async tasks are accepted (`async_task`)",
        "get_result" => "results are found from any process (`get_result`)",
        "durable" => "what was accepted outlives the process (`durable`)",
        "keeper" => "tasks can be looked up and canceled",
        "worker" => "workers can take tasks from it",
        "operator" => "operators can list, count, retry, prune",
        other => panic!("no words for `{other}`"),
    }
}

fn yes_or_no(answer: bool) -> String {
    if answer { "yes" } else { "no" }.to_owned()
}

/// What the table says of this backend: rows with their titles.
async fn column(name: &str, backend: &dyn TaskBackend) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = backend
        .capabilities()
        .list()
        .map(|(title, can)| (in_words(title).to_owned(), yes_or_no(can)))
        .into();
    let offered = faces::offered(backend).await;
    for (face, has) in offered {
        if ["keeper", "worker", "operator"].contains(&face) {
            rows.push((in_words(face).to_owned(), yes_or_no(has)));
        }
    }
    let listed = listed_faces(name);
    for (face, has) in offered {
        assert_eq!(
            listed.iter().any(|listed| listed == face),
            has,
            "`{face}` of {name}"
        );
    }
    let all = cases();
    let run = all
        .iter()
        .filter(|case| listed.iter().any(|face| face == case.face))
        .count();
    rows.push((
        "[cases of the suite](conformance.md) that run, all passing".to_owned(),
        format!("{run} of {}", all.len()),
    ));
    rows
}

/// The cells of the table in the page, without their blanks.
fn rows_in(page: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(BEGINS).expect("the page has the mark");
    let (table, _) = rest.split_once(ENDS).expect("the table has an end");
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    table.lines().map(cells).collect()
}

/// Puts this column into the page's table.
fn write(name: &str, column: &[(String, String)]) {
    let path = page("backends.md");
    let text = std::fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = text.split_once(BEGINS).expect("the page has the mark");
    let (_, after) = rest.split_once(ENDS).expect("the table has an end");
    let old = rows_in(&text);
    let heads = BACKENDS.map(|(name, ..)| name.to_owned());
    let mut rows = vec![
        [vec![String::new()], heads.to_vec()].concat(),
        vec!["---".to_owned(); BACKENDS.len() + 1],
    ];
    let place = 1 + heads.iter().position(|head| head == name).expect("a backend");
    for (title, cell) in column {
        let known = old.iter().find(|row| row[0] == *title).cloned();
        let mut row = known.unwrap_or_else(|| vec!["?".to_owned(); BACKENDS.len() + 1]);
        (row[0], row[place]) = (title.clone(), cell.clone());
        rows.push(row);
    }
    let lines = rows
        .iter()
        .map(|row| format!("| {} |\n", row.join(" | ")).replace("|  |", "| |"));
    let table: String = lines.collect();
    std::fs::write(&path, format!("{before}{BEGINS}{table}{ENDS}{after}")).expect("the page can be written");
}

/// The page says of this backend what it declares.
async fn assert_told(name: &str, backend: &dyn TaskBackend) {
    let column = column(name, backend).await;
    backend.close().await;
    if is_writing() {
        write(name, &column);
    }
    let text = std::fs::read_to_string(page("backends.md")).expect("the page is there");
    let rows = rows_in(&text);
    let place = rows[0].iter().position(|head| head == name);
    let place = place.unwrap_or_else(|| panic!("docs/backends.md has no column `{name}`: {ADVICE}"));
    let told: Vec<_> = rows[2..]
        .iter()
        .map(|row| (row[0].clone(), row[place].clone()))
        .collect();
    assert_eq!(told, column, "docs/backends.md, column `{name}`: {ADVICE}");
}

#[tokio::test]
async fn the_column_of_dummy_is_what_it_declares() {
    assert_told("dummy", &DummyBackend::new()).await;
}

#[tokio::test]
async fn the_column_of_immediate_is_what_it_declares() {
    assert_told("immediate", &ImmediateBackend::new()).await;
}

mod sqlite {
    use crate::servers::sqlite::Place;

    #[tokio::test]
    async fn the_column_is_what_it_declares() {
        super::assert_told("sqlite", &Place::new().await.opened().await).await;
    }
}

mod postgres {
    use crate::servers::postgres::Place;

    #[tokio::test]
    async fn the_column_is_what_it_declares() {
        super::assert_told("postgres", &Place::new().await.opened().await).await;
    }
}

mod mysql {
    use crate::servers::mysql::Place;

    #[tokio::test]
    async fn the_column_is_what_it_declares() {
        super::assert_told("mysql", &Place::new().await.opened().await).await;
    }
}

mod redis {
    use crate::servers::redis::{Place, SERVER};

    #[tokio::test]
    async fn the_column_is_what_it_declares() {
        super::assert_told("redis", &Place::new(SERVER).open().await).await;
    }
}

mod redis_cluster {
    use crate::servers::redis::{CLUSTER, Place};

    #[tokio::test]
    async fn the_column_is_what_it_declares() {
        super::assert_told("redis cluster", &Place::new(CLUSTER).open().await).await;
    }
}
