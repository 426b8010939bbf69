//! Opening a schema: which are refused, how a new one is made.

use task_backends::{PostgresBackend, PostgresOptions};
use task_core::{ErrorKind, TaskBackend as _};

use super::{Place, task};

#[tokio::test]
async fn a_newer_schema_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    place.opened().await.close().await;
    let mut outside = place.outside().await;
    outside.run("UPDATE schema_version SET version = 99").await;
    let error = place.open().await.expect_err("it is newer");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    let text = error.to_string();
    assert!(text.contains("99") && text.contains(&place.schema), "{text}");
    assert!(error.advice().expect("a hint").contains("update this program"));
    let pending = PostgresBackend::pending_migrations(&place.options()).await;
    assert_eq!(
        pending.expect_err("not for this either").kind(),
        ErrorKind::Schema
    );
    assert_eq!(outside.number("SELECT version FROM schema_version").await, 99);
}

#[tokio::test]
async fn a_schema_with_tables_of_another_program_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    let mut outside = place.outside().await;
    let create = format!(
        "CREATE SCHEMA \"{0}\"; CREATE TABLE \"{0}\".task (note text)",
        place.schema
    );
    sqlx::Executor::execute(&mut outside.0, sqlx::AssertSqlSafe(create))
        .await
        .expect("the statement is right");
    let error = place.open().await.expect_err("it is another program's");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.advice().expect("a hint").contains("schema"), "{error}");
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace";
    assert_eq!(outside.number(tables).await, 1);
}

#[tokio::test]
async fn migrations_are_told_before_they_are_done_and_done_once() {
    let place = Place::new();
    let (version, pending) = PostgresBackend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert!(version == 0 && !pending.is_empty());
    assert!(pending[0].sql.contains(&place.schema), "it says for which schema");
    let schemas =
        "SELECT count(*) FROM pg_namespace WHERE nspname = current_schema() AND nspname <> 'public'";
    assert_eq!(
        place.outside().await.number(schemas).await,
        0,
        "telling makes nothing"
    );
    let store = place.opened().await;
    let task = task(&store).await;
    store.close().await;
    let (version, left) = PostgresBackend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert_eq!((version, left.len()), (pending[pending.len() - 1].version, 0));
    let again = place.opened().await;
    assert_eq!(again.find(task.id).await.expect("it can be read"), Some(task));
    again.close().await;
}

#[tokio::test]
async fn the_printed_migration_is_what_opening_does() {
    let place = Place::new();
    let (_, pending) = PostgresBackend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    let mut by_hand = place.outside().await;
    let script: Vec<_> = pending.iter().map(|step| step.sql.as_ref()).collect();
    let script = format!("BEGIN;\n{}\nCOMMIT", script.join("\n"));
    sqlx::Executor::execute(&mut by_hand.0, sqlx::raw_sql(sqlx::AssertSqlSafe(script)))
        .await
        .expect("it can be run by hand");
    let (_, left) = PostgresBackend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert_eq!(left, []);
    let store = place.opened().await;
    task(&store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_that_open_a_new_schema_at_once_all_succeed() {
    for _ in 0..3 {
        let place = std::sync::Arc::new(Place::new());
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let place = place.clone();
            opening.spawn(async move { place.open().await });
        }
        let stores = opening.join_all().await;
        let mut tasks = Vec::new();
        for store in &stores {
            let store = store.as_ref().expect("waits for whoever migrates");
            tasks.push(task(store).await.id);
        }
        let one = stores[0].as_ref().expect("it was opened");
        for id in tasks {
            assert!(one.find(id).await.expect("it can be read").is_some());
        }
        for store in &stores {
            store.as_ref().expect("it was opened").close().await;
        }
    }
}

#[tokio::test]
async fn two_schemas_of_one_database_know_nothing_of_each_other() {
    let (one, other) = (Place::new(), Place::new());
    let (first, second) = (one.opened().await, other.opened().await);
    let task = task(&first).await;
    assert_eq!(second.find(task.id).await.expect("it can be read"), None);
    assert_eq!(first.find(task.id).await.expect("it can be read"), Some(task));
    first.close().await;
    second.close().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_told_with_its_place() {
    let options = PostgresOptions::new("postgres://nobody:secret@127.0.0.1:1/none").expect("a url");
    let error = PostgresBackend::open(options)
        .await
        .expect_err("nobody listens there");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1") && !text.contains("secret"), "{text}");
    assert!(error.advice().is_some());
}
