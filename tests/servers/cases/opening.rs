//! Opening a store on a server: which are refused, how a new one is made.

use task_core::{ErrorKind, TaskBackend as _};

use crate::place::{Backend, NOBODY, Options, Place, UNIT};
use crate::servers::task;

#[tokio::test]
async fn a_newer_schema_is_refused_and_stays_as_it_is() {
    let place = Place::new().await;
    place.opened().await.close().await;
    let mut outside = place.outside().await;
    outside.run("UPDATE schema_version SET version = 99").await;
    let error = place.open().await.expect_err("it is newer");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    let text = error.to_string();
    assert!(text.contains("99") && text.contains(place.name()), "{text}");
    assert!(error.advice().expect("a hint").contains("update this program"));
    let pending = Backend::pending_migrations(&place.options()).await;
    assert_eq!(
        pending.expect_err("not for this either").kind(),
        ErrorKind::Schema
    );
    assert_eq!(outside.number("SELECT version FROM schema_version").await, 99);
}

#[tokio::test]
async fn a_place_with_tables_of_another_program_is_refused_and_stays_as_it_is() {
    let place = Place::new().await;
    place.use_for_something_else().await;
    let before = place.made().await;
    let error = place.open().await.expect_err("it is another program's");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.advice().expect("a hint").contains(UNIT), "{error}");
    assert_eq!(place.made().await, before);
}

#[tokio::test]
async fn migrations_are_told_before_they_are_done_and_done_once() {
    let place = Place::new().await;
    let before = place.made().await;
    let (version, pending) = Backend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert!(version == 0 && !pending.is_empty());
    assert_eq!(place.made().await, before, "telling makes nothing");
    let store = place.opened().await;
    let task = task(&store).await;
    store.close().await;
    let (version, left) = Backend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert_eq!((version, left.len()), (pending[pending.len() - 1].version, 0));
    let again = place.opened().await;
    assert_eq!(again.find(task.id).await.expect("it can be read"), Some(task));
    again.close().await;
}

#[tokio::test]
async fn an_older_store_is_brought_up_to_date_with_the_tasks_that_wait_in_it() {
    let place = Place::new().await;
    let store = place.opened().await;
    let task = task(&store).await;
    store.close().await;
    // As the first version left it.
    let mut outside = place.outside().await;
    for table in ["unique_key", "paused", "schedule", "canceled"] {
        outside.run(&format!("DROP TABLE {table}")).await;
    }
    outside.run("UPDATE schema_version SET version = 1").await;
    let (version, pending) = Backend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    let steps: Vec<_> = pending.iter().map(|step| step.version).collect();
    assert_eq!((version, &steps[..]), (1, &[2][..]));
    let store = place.opened().await;
    assert_eq!(store.find(task.id).await.expect("it can be read"), Some(task));
    let paused = store.admin().expect("it has one").paused().await;
    assert!(paused.expect("the table is there").is_empty());
    store.close().await;
}

#[tokio::test]
async fn the_printed_migration_is_what_opening_does() {
    let place = Place::new().await;
    let (_, pending) = Backend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    let mut by_hand = place.shell().await;
    let script: Vec<_> = pending.iter().map(|step| step.sql.as_ref()).collect();
    // One by one, as the shells of databases do.
    for statement in script.join("\n").split_inclusive(";\n") {
        by_hand.run(statement).await;
    }
    let (_, left) = Backend::pending_migrations(&place.options())
        .await
        .expect("can be told");
    assert_eq!(left, []);
    let store = place.opened().await;
    task(&store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_that_open_a_new_place_at_once_all_succeed() {
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
async fn two_places_on_one_server_know_nothing_of_each_other() {
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
    let options = Options::new(NOBODY).expect("a url");
    let error = Backend::open(options).await.expect_err("nobody listens there");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1") && !text.contains("secret"), "{text}");
    assert!(error.advice().is_some());
}
