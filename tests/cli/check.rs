//! `check` with several things wrong at once.

use serde_json::Value;

use super::enqueue;
use crate::system::{Site, Sql};

/// Six aliases, of which only `default` and `reports` are as they should be.
const SETTINGS: &str = r#"
[default]
backend = "sqlite"
url = "sqlite://store/tasks.db"
queues = []

[folderless]
backend = "sqlite"
url = "sqlite://nowhere/tasks.db"

[misspelt]
backend = "sqlit"
url = "sqlite://store/x.db"

[newer]
backend = "sqlite"
url = "sqlite://store/newer.db"

[noise]
backend = "sqlite"
url = "sqlite://store/noise.db"

[reports]
backend = "dummy"
queues = []
"#;

/// What is wrong with each, in the order of the aliases.
const WRONG: [&str; 4] = [
    "the backend `folderless` has schema version 0",
    "did you mean `sqlite`?",
    "4711",
    "no SQLite database",
];

#[tokio::test]
async fn check_looks_at_every_alias_and_reports_what_is_wrong_with_each() {
    let site = Site::with_settings(SETTINGS);
    enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let newer = site.store().join("newer.db");
    std::fs::copy(site.file(), &newer).expect("the folder can be written to");
    let mut sql = Sql::open(&newer).await;
    sql.run("PRAGMA user_version = 4711").await;
    sql.close().await;
    std::fs::write(site.store().join("noise.db"), "noise ".repeat(1_000))
        .expect("the folder can be written to");

    // The first problem decides the code.
    let said = site.run(&["check"]).await.exits_with(7).complains(&WRONG);
    assert!(said.out.ends_with("4 problems\n"), "{said:#?}");
    let heads = [
        "BACKEND",
        "default",
        "folderless",
        "misspelt",
        "newer",
        "noise",
        "reports",
    ];
    assert!(said.words().contains(&heads.to_vec()), "{said:#?}");

    let report = site.run(&["check", "--json"]).await.exits_with(7).json();
    let problems = report["problems"].as_array().expect("a list");
    let told: Vec<&str> = problems.iter().filter_map(Value::as_str).collect();
    assert_eq!(told.len(), WRONG.len(), "{told:#?}");
    for (told, wrong) in told.iter().zip(WRONG) {
        assert!(told.contains(wrong), "{wrong:?} in {told:?}");
    }
    // A worker opens them all, and does not start.
    site.run(&["run", "--batch"]).await.exits_with(1);
}
