//! Commands for where tasks are kept: `migrate`, `check`; stores of another version or none.

use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use super::enqueue;
use crate::system::{Site, Sql};

#[tokio::test]
async fn migrate_says_what_it_would_do_does_it_and_then_has_nothing_to_do() {
    let site = Site::new();
    let said = site.run(&["migrate", "--dry-run"]).await.exits_with(0).quietly();
    assert!(
        said.out.starts_with("-- default: ") && said.out.contains("schema version 0 to "),
        "{said:#?}"
    );
    assert!(said.out.contains("CREATE TABLE task"), "{said:#?}");
    assert!(!site.file().exists(), "a dry run makes no file");
    let plan = site
        .run(&["migrate", "--dry-run", "--json"])
        .await
        .exits_with(0)
        .json();
    assert_eq!(
        (&plan["from"], &plan["dry_run"], &plan["kind"]),
        (&json!(0), &json!(true), &json!("sqlite"))
    );

    let said = site.run(&["migrate"]).await.exits_with(0);
    assert!(
        said.line().contains("migrated from schema version 0 to "),
        "{said:#?}"
    );
    let said = site.run(&["migrate"]).await.exits_with(0).quietly();
    assert!(said.line().ends_with("nothing to migrate"), "{said:#?}");
    let plan = site.run(&["migrate", "--json"]).await.exits_with(0).json();
    assert_eq!((&plan["steps"], &plan["from"]), (&json!([]), &plan["to"]));
    let said = site.run(&["migrate", "--backend", "reports"]).await.exits_with(0);
    assert!(said.line().contains("has no schema"), "{said:#?}");
}

#[tokio::test]
async fn the_statements_of_a_dry_run_can_be_run_by_hand() {
    let site = Site::new();
    let script = site.run(&["migrate", "--dry-run"]).await.exits_with(0).out;
    let mut connection = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("SQLite is here");
    let ran = sqlx::raw_sql(sqlx::AssertSqlSafe(script))
        .execute(&mut connection)
        .await;
    ran.expect("they are statements");
}

#[tokio::test]
async fn check_is_7_before_and_0_after_the_migration() {
    let site = Site::new();
    let said = site.run(&["check"]).await.exits_with(7);
    assert!(said.out.ends_with("1 problem\n"), "{said:#?}");
    said.complains(&["schema version", "system_worker migrate --backend default"]);
    assert!(!site.file().exists(), "looking changes nothing");
    let report = site.run(&["check", "--json"]).await.exits_with(7).json();
    assert_eq!(
        (&report["ok"], &report["backends"][0]["schema_version"]),
        (&json!(false), &json!(0))
    );

    site.run(&["migrate"]).await.exits_with(0);
    let said = site.run(&["check"]).await.exits_with(0).quietly();
    assert!(said.out.ends_with("all is well\n"), "{said:#?}");
    for row in [
        ["reachable", "yes", "yes"],
        ["kind", "sqlite", "dummy"],
        ["durable", "yes", "no"],
    ] {
        assert!(said.words().contains(&row.to_vec()), "{row:?} in {said:#?}");
    }
    let report = site
        .run(&["check", "--json"])
        .await
        .exits_with(0)
        .quietly()
        .json();
    assert_eq!((&report["ok"], &report["problems"]), (&json!(true), &json!([])));
    assert_eq!(report["backends"][0]["capabilities"]["async_task"], true);
}

#[tokio::test]
async fn check_lists_every_problem_and_the_first_decides_the_code() {
    let site = Site::with_settings(
        "[default]\nbackend = \"sqlite\"\nurl = \"sqlite://store/tasks.db\"\nqueues = [\"default\"]\n",
    );
    site.run(&["migrate"]).await.exits_with(0);
    let said = site.run(&["check"]).await.exits_with(1);
    assert!(said.out.ends_with("2 problems\n"), "{said:#?}");
    said.complains(&[
        "queue `sums`",
        "conformance::add",
        "the backend `reports` does not exist",
    ]);
    let report: Value = site.run(&["check", "--json"]).await.exits_with(1).json();
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(2));
}

/// Commands that open the store, each well-formed.
const ALL: [&[&str]; 12] = [
    &["run", "--batch"],
    &["enqueue", "conformance::nothing"],
    &["list"],
    &["show", super::NOBODY],
    &["wait", super::NOBODY],
    &["retry", super::NOBODY],
    &["cancel", super::NOBODY],
    &["prune"],
    &["counts"],
    &["workers"],
    &["migrate"],
    &["check"],
];

#[tokio::test]
async fn a_store_of_a_newer_version_is_7_for_every_command_and_stays_as_it_is() {
    let site = Site::new();
    enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let mut sql = Sql::open(&site.file()).await;
    sql.run("PRAGMA user_version = 4711").await;
    sql.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
    sql.close().await;
    let before = std::fs::read(site.file()).expect("the file is there");
    for command in ALL {
        let said = site.run(command).await.exits_with(7);
        said.complains(&["schema version", "4711", "update this program"]);
    }
    assert!(
        before == std::fs::read(site.file()).expect("the file is there"),
        "nothing was written"
    );
}

#[tokio::test]
async fn a_file_of_another_program_is_7_and_stays_as_it_is() {
    let site = Site::new();
    std::fs::write(site.file(), "").expect("the folder can be written to");
    let mut sql = Sql::open(&site.file()).await;
    sql.run("PRAGMA application_id = 7").await;
    sql.run("CREATE TABLE theirs (a)").await;
    sql.close().await;
    let before = std::fs::read(site.file()).expect("the file is there");
    for command in ALL {
        site.run(command)
            .await
            .exits_with(7)
            .complains(&["another program's"]);
    }
    assert!(
        before == std::fs::read(site.file()).expect("the file is there"),
        "nothing was written"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_1_for_every_command() {
    let site = Site::new();
    let text = "this is no database, ".repeat(100);
    std::fs::write(site.file(), &text).expect("the folder can be written to");
    for command in ALL {
        site.run(command)
            .await
            .exits_with(1)
            .complains(&["tasks.db", "no SQLite database"]);
    }
    assert_eq!(
        std::fs::read_to_string(site.file()).expect("the file is there"),
        text
    );
}

#[tokio::test]
async fn a_store_whose_folder_is_not_there_is_1_for_every_command_but_those_that_only_look() {
    let site = Site::new();
    std::fs::remove_dir(site.store()).expect("it is empty");
    for command in ALL {
        let said = site.run(command).await;
        let code = if command == ["check"] { 7 } else { 1 };
        let said = said.exits_with(code);
        if code == 1 {
            said.complains(&["cannot be opened", "does its folder exist"]);
        }
    }
}
