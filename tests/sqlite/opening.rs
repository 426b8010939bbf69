//! Opening a file: which are refused, how a new one is made, what a closed one is.

use std::path::Path;
use std::sync::Arc;

use conformance::played_worker::PlayedWorker;
use sqlx::Connection as _;
use task_backends::{SqliteBackend, SqliteOptions};
use task_core::{ErrorKind, TaskBackend};

use super::{PATIENCE, open, opened, outside, place, run, task};

/// Makes a database with `outside` hands, and returns it as bytes.
async fn made(path: &Path, statements: &[&'static str]) -> Vec<u8> {
    let mut connection = outside(path).await;
    for statement in statements {
        run(&mut connection, statement).await;
    }
    connection.close().await.expect("it can be closed");
    std::fs::read(path).expect("the file is there")
}

/// The file cannot be opened, in whatever way, with this kind; it stays as it is.
async fn assert_refused_untouched(path: &Path, before: &[u8], kind: ErrorKind) -> String {
    let error = open(path).await.expect_err("not a file for us");
    assert_eq!(error.kind(), kind, "{error}");
    let pending = SqliteBackend::pending_migrations(&SqliteOptions::new(path)).await;
    assert_eq!(pending.expect_err("not for this either").kind(), kind);
    let text = error.to_string();
    assert!(text.contains(&*path.to_string_lossy()), "{text}");
    assert!(error.advice().is_some(), "{text}");
    let after = std::fs::read(path).expect("the file is there");
    assert!(after == before, "the file was written to: {text}");
    text
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_the_file_stays_as_it_is() {
    let (_folder, path) = place();
    opened(&path).await.close().await;
    let before = made(&path, &["PRAGMA user_version = 99"]).await;
    let text = assert_refused_untouched(&path, &before, ErrorKind::Schema).await;
    assert!(text.contains("99"), "{text}");
}

/// The file as an earlier version left it.
const AS_VERSION_2: [&str; 6] = [
    "DROP TABLE unique_key",
    "DROP TABLE paused",
    "DROP TABLE schedule",
    "DROP TABLE canceled",
    "DROP INDEX ready_order",
    "PRAGMA user_version = 2",
];

#[tokio::test]
async fn an_older_file_is_brought_up_to_date_with_the_tasks_that_wait_in_it() {
    let (_folder, path) = place();
    let backend = opened(&path).await;
    let waiting = task(&backend).await;
    backend.close().await;
    made(&path, &AS_VERSION_2).await;
    let pending = SqliteBackend::pending_migrations(&SqliteOptions::new(&path)).await;
    let (from, pending) = pending.expect("a file of ours");
    assert_eq!(from, 2);
    assert_eq!(
        pending.iter().map(|step| step.version).collect::<Vec<_>>(),
        [3, 4]
    );
    let backend: Arc<dyn TaskBackend> = Arc::new(opened(&path).await);
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    assert_eq!(worker.claim_one().await.record.id, waiting.id);
    backend.close().await;
}

#[tokio::test]
async fn another_programs_file_is_refused_and_stays_as_it_is() {
    for mark in ["PRAGMA application_id = 1234", "PRAGMA user_version = 7"] {
        let (_folder, path) = place();
        let before = made(&path, &["CREATE TABLE note (text)", mark]).await;
        assert_refused_untouched(&path, &before, ErrorKind::Schema).await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_stays_as_it_is() {
    for before in ["hello".to_owned(), "no database at all\n".repeat(500)] {
        let (_folder, path) = place();
        std::fs::write(&path, &before).expect("the folder is writable");
        assert_refused_untouched(&path, before.as_bytes(), ErrorKind::Corrupt).await;
    }
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_told_with_its_path_and_a_hint() {
    let (folder, path) = place();
    std::fs::create_dir(&path).expect("the folder is writable");
    for wrong in [folder.path().join("missing").join("tasks.db"), path] {
        let error = open(&wrong).await.expect_err("no file can be there");
        assert_eq!(error.kind(), ErrorKind::Backend, "{error}");
        assert!(error.to_string().contains(&*wrong.to_string_lossy()), "{error}");
        assert!(error.advice().expect("a hint").contains("folder"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_must_exist_is_not_made() {
    let (_folder, path) = place();
    let options = SqliteOptions::new(&path).existing();
    SqliteBackend::open(options.clone())
        .await
        .expect_err("it does not exist");
    assert!(!path.exists());
    opened(&path).await.close().await;
    SqliteBackend::open(options)
        .await
        .expect("now it does")
        .close()
        .await;
}

#[tokio::test]
async fn migrations_are_told_before_they_are_done_and_done_once() {
    let (_folder, path) = place();
    let options = SqliteOptions::new(&path);
    let (version, pending) = SqliteBackend::pending_migrations(&options)
        .await
        .expect("can be told");
    assert!(version == 0 && !pending.is_empty());
    assert!(!path.exists(), "telling makes no file");
    let store = opened(&path).await;
    let task = task(&store).await;
    store.close().await;
    let (version, left) = SqliteBackend::pending_migrations(&options)
        .await
        .expect("can be told");
    assert_eq!((version, left.len()), (pending[pending.len() - 1].version, 0));
    let again = opened(&path).await;
    assert_eq!(again.find(task.id).await.expect("it can be read"), Some(task));
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_that_open_a_new_file_at_once_all_succeed() {
    // Whoever comes at a bad moment comes rarely: several rounds.
    for _ in 0..15 {
        let (_folder, path) = place();
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let path = path.clone();
            opening.spawn(async move { open(&path).await });
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
        let pending = SqliteBackend::pending_migrations(&SqliteOptions::new(&path)).await;
        assert_eq!(pending.expect("can be told").1, []);
    }
}

#[tokio::test]
async fn a_closed_store_is_one_file() {
    let (folder, path) = place();
    let store = opened(&path).await;
    let kept = task(&store).await;
    store.close().await;
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").file_name())
        .collect();
    assert_eq!(names, ["tasks.db"], "so that copying it is a backup");
    let again = opened(&path).await;
    assert_eq!(again.find(kept.id).await.expect("it can be read"), Some(kept));
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_dropped_unclosed_loses_nothing() {
    let (_folder, path) = place();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let store = opened(&path).await;
        tasks.push(task(&store).await);
        drop(store);
    }
    let store = opened(&path).await;
    for task in tasks {
        assert_eq!(store.find(task.id).await.expect("it can be read"), Some(task));
    }
    store.close().await;
}
