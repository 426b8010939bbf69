//! From a settings file to connected backends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use conformance::tasks::{echo, report};
use task_backends::{DummyBackend, SqliteBackend, SqliteOptions, connect, connect_with, init_with, kinds};
use task_core::{
    BackendKind, BackendSettings, Backends, ErrorKind, Settings, TaskBackend as _, backend, queue,
};
use tempfile::TempDir;

/// A folder with this settings file, and the environment that names it.
fn written(text: &str) -> (TempDir, BTreeMap<String, String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tasks.toml");
    std::fs::write(&file, text).expect("the folder is writable");
    let environment = [("TASKS_CONFIG".to_owned(), file.display().to_string())].into();
    (folder, environment)
}

async fn connected(environment: &BTreeMap<String, String>) -> Backends {
    let settings = Settings::load_from(environment).expect("well-formed settings");
    connect(&settings).await.expect("every store can be opened")
}

/// The kind and the text of the error that these settings lead to.
async fn refused(text: &str) -> (ErrorKind, String) {
    let (_folder, environment) = written(text);
    let settings = Settings::load_from(&environment).expect("well-formed settings");
    let error = connect(&settings).await.expect_err("cannot be connected");
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn the_file_of_tasks_config_is_read_and_its_paths_start_from_its_folder() {
    let (folder, environment) =
        written("[default]\nbackend = \"sqlite\"\nurl = \"sqlite://data/tasks.db\"\n");
    std::fs::create_dir(folder.path().join("data")).expect("the folder is writable");
    let backends = connected(&environment).await;
    let result = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    backends.close().await;

    let path: PathBuf = folder.path().join("data").join("tasks.db");
    assert!(
        path.is_file(),
        "beside the settings, and not in the working directory"
    );
    let options = SqliteOptions::new(path).existing();
    let store = SqliteBackend::open(options).await.expect("the same file");
    let found = store.find(result.id()).await.expect("it can be read");
    assert_eq!(found.as_ref(), Some(result.record()));
    store.close().await;
}

#[tokio::test]
async fn each_alias_is_a_backend_of_its_own() {
    let (_folder, environment) = written(
        "[default]\nbackend = \"sqlite\"\nurl = \"sqlite:tasks.db\"\nsynchronous = \"full\"\n\
         [reports]\nbackend = \"dummy\"\n[now]\nbackend = \"immediate\"\n",
    );
    let backends = connected(&environment).await;
    let kinds: Vec<_> = backends
        .iter()
        .map(|alias| (alias.name().to_owned(), alias.backend().kind()))
        .collect();
    let expected = [("default", "sqlite"), ("now", "immediate"), ("reports", "dummy")];
    assert_eq!(kinds, expected.map(|(alias, kind)| (alias.to_owned(), kind)));
    let stored = echo::new("x").enqueue_on(&backends).await.expect("accepted");
    assert!(!stored.is_finished());
    let now = echo::new("x").using(backend("now")).enqueue_on(&backends).await;
    assert!(now.expect("accepted").is_finished());
    let filed = report::new("x").enqueue_on(&backends).await.expect("accepted");
    assert_eq!(filed.backend(), "reports");
    backends.close().await;
}

#[tokio::test]
async fn queues_and_limits_of_the_settings_are_enforced() {
    let (_folder, environment) = written(
        "[default]\nbackend = \"dummy\"\nqueues = [\"default\", \"special\"]\nmax_arguments_bytes = 20\n",
    );
    let backends = connected(&environment).await;
    let call = echo::new("x").using(queue("special"));
    call.enqueue_on(&backends)
        .await
        .expect("listed, and short enough");
    let error = echo::new("x").using(queue("specail")).enqueue_on(&backends).await;
    assert_eq!(error.expect_err("not listed").kind(), ErrorKind::InvalidTask);
    let error = echo::new("0123456789").enqueue_on(&backends).await;
    assert_eq!(error.expect_err("21 bytes").kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn the_limit_of_return_values_reaches_the_backend_that_runs_tasks() {
    let (_folder, environment) = written("[default]\nbackend = \"immediate\"\nmax_result_bytes = 5\n");
    let backends = connected(&environment).await;
    let fits = echo::new("abc").enqueue_on(&backends).await.expect("accepted");
    assert_eq!(fits.return_value().expect("five bytes with quotes"), "abc");
    let large = echo::new("abcd").enqueue_on(&backends).await.expect("accepted");
    assert_eq!(
        large.return_value().expect_err("too large").kind(),
        ErrorKind::TaskFailed
    );
}

#[tokio::test]
async fn an_environment_variable_wins_over_the_file() {
    let (folder, mut environment) = written(
        "[default]\nbackend = \"dummy\"\n[mail]\nbackend = \"sqlite\"\nurl = \"sqlite:${NAME}.db\"\n",
    );
    environment.insert("NAME".to_owned(), "letters".to_owned());
    environment.insert("TASKS_DEFAULT_BACKEND".to_owned(), "immediate".to_owned());
    let backends = connected(&environment).await;
    let alias = backends.get("default").expect("it is in the file");
    assert_eq!(alias.backend().kind(), "immediate");
    assert!(folder.path().join("letters.db").is_file());
    backends.close().await;
}

#[tokio::test]
async fn without_a_file_everything_runs_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path().display().to_string();
    // Names a folder without a settings file, as cargo does for an application without one.
    let environment = [("CARGO_MANIFEST_DIR".to_owned(), folder)].into();
    let backends = connected(&environment).await;
    let result = echo::new("x")
        .using(queue("any name"))
        .enqueue_on(&backends)
        .await;
    assert_eq!(result.expect("accepted").return_value().expect("it ran"), "x");
}

#[tokio::test]
async fn a_file_that_tasks_config_names_must_be_there() {
    let missing = Path::new("no-such-folder").join("tasks.toml");
    let environment = [("TASKS_CONFIG".to_owned(), missing.display().to_string())].into();
    let error = Settings::load_from(&environment).expect_err("it is not there");
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(error.to_string().contains("no-such-folder"), "{error}");
}

#[tokio::test]
async fn a_kind_of_backend_that_does_not_exist_is_told_with_the_nearest() {
    let (kind, text) = refused("[default]\nbackend = \"sqllite\"\n").await;
    assert_eq!(kind, ErrorKind::InvalidBackend);
    assert!(text.contains("did you mean `sqlite`?"), "{text}");
    assert!(text.contains("tasks.toml:2"), "{text}");
}

#[tokio::test]
async fn a_store_without_a_place_or_with_a_wrong_key_is_told_with_its_line() {
    for (text, expected) in [
        ("backend = \"sqlite\"\n", "needs a `url`"),
        (
            "backend = \"sqlite\"\nurl = \"postgres://x\"\n",
            "does not begin with `sqlite:`",
        ),
        (
            "backend = \"sqlite\"\nurl = \"sqlite::memory:\"\n",
            "is in memory",
        ),
        (
            "backend = \"sqlite\"\nurl = \"sqlite:a.db\"\nsynchronous = \"ful\"\n",
            "did you mean `full`?",
        ),
    ] {
        let (kind, told) = refused(&format!("[default]\n{text}")).await;
        assert_eq!(kind, ErrorKind::Settings, "{told}");
        assert!(told.contains(expected) && told.contains("tasks.toml:2"), "{told}");
    }
}

#[tokio::test]
async fn a_built_in_backend_refuses_options_it_does_not_have_with_their_line() {
    for kind in ["dummy", "immediate", "sqlite"] {
        let text =
            format!("[default]\nbackend = \"{kind}\"\nurl = \"sqlite:a.db\"\n[default.options]\npool = 5\n");
        let (error, told) = refused(&text).await;
        assert_eq!(error, ErrorKind::Settings, "{told}");
        let expected = format!("a backend of the kind `{kind}` has no options");
        assert!(told.contains("`pool`") && told.contains(&expected), "{told}");
        assert!(told.contains("tasks.toml:5"), "{told}");
    }
}

#[tokio::test]
async fn a_kind_that_the_program_adds_by_hand_is_opened_by_its_name() {
    async fn open(alias: &str, settings: &BackendSettings) -> task_core::Result<DummyBackend> {
        assert_eq!((alias, settings.option::<u32>("size")?), ("default", Some(5)));
        Ok(DummyBackend::new())
    }
    let (_folder, environment) = written("[default]\nbackend = \"own\"\n[default.options]\nsize = 5\n");
    let settings = Settings::load_from(&environment).expect("well-formed settings");
    let mut kinds = kinds().expect("no two of one name");
    kinds
        .add(BackendKind::new("own", open))
        .expect("the name is free");
    let backends = connect_with(&settings, &kinds).await.expect("it opens");
    let alias = backends.get("default").expect("it is in the file");
    assert_eq!(alias.backend().kind(), "dummy");
    assert_eq!(alias.queues().len(), 1, "the settings count as for any other");
    let error = connect(&settings)
        .await
        .expect_err("only this program's list has it");
    assert_eq!(error.kind(), ErrorKind::InvalidBackend);
    let error = kinds.add(BackendKind::new("sqlite", open)).map(drop);
    let text = error.expect_err("the name is taken").to_string();
    assert!(
        text.contains("task-backends/src/connect.rs:") && text.contains("settings.rs:"),
        "{text}"
    );
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_told_with_its_alias_and_its_path() {
    let (_, text) = refused(
        "[default]\nbackend = \"dummy\"\n[archive]\nbackend = \"sqlite\"\nurl = \"sqlite:no-folder/x.db\"\n",
    )
    .await;
    assert!(text.contains("no-folder"), "{text}");
    assert!(text.contains("archive"), "{text}");
}

#[tokio::test]
async fn the_backends_of_the_process_are_set_up_once() {
    let error = echo::enqueue("x").await.expect_err("none are set up yet");
    assert_eq!(error.kind(), ErrorKind::InvalidBackend);
    assert!(error.advice().expect("a hint").contains("init"), "{error}");
    let (_folder, environment) = written("[default]\nbackend = \"immediate\"\n");
    let settings = Settings::load_from(&environment).expect("well-formed settings");
    init_with(&settings).await.expect("the first time");
    let result = echo::enqueue("x").await.expect("accepted");
    assert_eq!(result.return_value().expect("it ran"), "x");
    let error = init_with(&settings).await.expect_err("the second time");
    assert_eq!(error.kind(), ErrorKind::State);
}
