//! Opening a database: which are refused, how a new one is made.

use task_backends::{MysqlBackend, MysqlOptions};
use task_core::{ErrorKind, TaskBackend as _};

use super::{Place, task};

#[tokio::test]
async fn a_newer_schema_is_refused_and_stays_as_it_is() {
    let place = Place::new().await;
    place.opened().await.close().await;
    let mut outside = place.outside().await;
    outside.run("UPDATE schema_version SET version = 99").await;
    let error = place.open().await.expect_err("it is newer");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    let text = error.to_string();
    assert!(text.contains("99") && text.contains(&place.database), "{text}");
    assert!(error.advice().expect("a hint").contains("update this program"));
    let pending = MysqlBackend::pending_migrations(&place.options()).await;
    assert_eq!(
        pending.expect_err("not for this either").kind(),
        ErrorKind::Schema
    );
    assert_eq!(outside.number("SELECT version FROM schema_version").await, 99);
}

#[tokio::test]
async fn a_database_with_tables_of_another_program_is_refused_and_stays_as_it_is() {
    let place = Place::new().await;
    let mut outside = place.outside().await;
    outside.run("CREATE TABLE task (note TEXT)").await;
    let error = place.open().await.expect_err("it is another program's");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.advice().expect("a hint").contains("database"), "{error}");
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    assert_eq!(outside.number(tables).await, 1);
}

#[tokio::test]
async fn migrations_are_told_before_they_are_done_and_done_once() {
    let place = Place::new().await;
    let (version, pending) = MysqlBackend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert!(version == 0 && !pending.is_empty());
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    assert_eq!(
        place.outside().await.number(tables).await,
        0,
        "telling makes nothing"
    );
    let store = place.opened().await;
    let task = task(&store).await;
    store.close().await;
    let (version, left) = MysqlBackend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert_eq!((version, left.len()), (pending[pending.len() - 1].version, 0));
    let again = place.opened().await;
    assert_eq!(again.find(task.id).await.expect("it can be read"), Some(task));
    again.close().await;
}

#[tokio::test]
async fn the_printed_migration_is_what_opening_does() {
    let place = Place::new().await;
    let (_, pending) = MysqlBackend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    let mut by_hand = place.outside().await;
    let script: Vec<_> = pending.iter().map(|step| step.sql.as_ref()).collect();
    let script = script.join("\n");
    sqlx::Executor::execute(&mut by_hand.0, sqlx::raw_sql(sqlx::AssertSqlSafe(script)))
        .await
        .expect("it can be run by hand");
    let (_, left) = MysqlBackend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert_eq!(left, []);
    let store = place.opened().await;
    task(&store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_that_open_a_new_database_at_once_all_succeed() {
    for _ in 0..3 {
        let place = std::sync::Arc::new(Place::new().await);
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
async fn two_databases_of_one_server_know_nothing_of_each_other() {
    let (one, other) = (Place::new().await, Place::new().await);
    let (first, second) = (one.opened().await, other.opened().await);
    let task = task(&first).await;
    assert_eq!(second.find(task.id).await.expect("it can be read"), None);
    assert_eq!(first.find(task.id).await.expect("it can be read"), Some(task));
    first.close().await;
    second.close().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_told_with_its_place() {
    let options = MysqlOptions::new("mysql://nobody:secret@127.0.0.1:1/none").expect("a url");
    let error = MysqlBackend::open(options)
        .await
        .expect_err("nobody listens there");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1") && !text.contains("secret"), "{text}");
    assert!(error.advice().is_some());
}
