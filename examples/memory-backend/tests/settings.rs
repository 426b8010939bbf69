//! What an application sees of it: the name in `tasks.toml`, the options, a worker.

use std::collections::BTreeMap;
use std::path::Path;

// This is what makes the program link the backend: nothing else here names it.
use memory_backend as _;
use task_backends::connect;
use task_core::{Backends, ErrorKind, Settings, TaskOptions, task};

/// Doubles a number.
#[task]
async fn double(number: i64) -> i64 {
    number * 2
}

async fn connected(options: &str) -> task_core::Result<Backends> {
    let text = format!("[default]\nbackend = \"memory\"\n[default.options]\n{options}");
    connect(&Settings::from_text(
        &text,
        Path::new("tasks.toml"),
        &BTreeMap::new(),
    )?)
    .await
}

#[tokio::test]
async fn it_is_found_by_its_name_in_the_settings_and_drained() {
    let backends = connected("").await.expect("it is linked");
    assert_eq!(backends.get("default").expect("named").backend().kind(), "memory");
    let mut result = double::new(21).enqueue_on(&backends).await.expect("accepted");
    let drained = task_worker::drain(&backends).await.expect("it can be drained");
    drained.assert_succeeded();
    assert_eq!(drained.summary.started, 1);
    result.refresh().await.expect("it is kept");
    assert_eq!(result.return_value().expect("it ran"), 42);
}

#[tokio::test]
async fn its_option_limits_how_much_it_keeps() {
    let backends = connected("capacity = 2\n").await.expect("well-formed");
    for number in 0..2 {
        double::new(number).enqueue_on(&backends).await.expect("room");
    }
    let error = double::new(2).enqueue_on(&backends).await.expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("at most 2"), "{error}");
}

#[tokio::test]
async fn options_it_does_not_have_or_cannot_read_are_refused_with_their_line() {
    for (options, expected) in [
        ("capcity = 2\n", "did you mean `capacity`?"),
        ("capacity = \"many\"\n", "`capacity` cannot be read"),
    ] {
        let error = connected(options).await.expect_err(options);
        assert_eq!(error.kind(), ErrorKind::Settings);
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains("tasks.toml:4"), "{text}");
    }
}

#[tokio::test]
async fn a_misspelt_name_is_told_with_the_registered_one() {
    let text = "[default]\nbackend = \"memroy\"\n";
    let settings = Settings::from_text(text, Path::new("tasks.toml"), &BTreeMap::new());
    let error = connect(&settings.expect("well-formed"))
        .await
        .expect_err("no such kind");
    assert_eq!(error.kind(), ErrorKind::InvalidBackend);
    assert!(error.to_string().contains("did you mean `memory`?"), "{error}");
}

#[tokio::test]
async fn metadata_of_the_application_reaches_it() {
    let backends = connected("").await.expect("well-formed");
    let forgotten = double::new(1).using(TaskOptions::default().metadata("forget", true));
    let mut forgotten = forgotten.enqueue_on(&backends).await.expect("accepted");
    let kept = double::new(2).using(TaskOptions::default().metadata("forget", false));
    let mut kept = kept.enqueue_on(&backends).await.expect("accepted");
    let drained = task_worker::drain(&backends).await.expect("it can be drained");
    drained.assert_succeeded();
    assert_eq!(drained.tasks.len(), 2, "both ran");
    kept.refresh().await.expect("it is kept");
    assert_eq!(kept.metadata()["forget"], false);
    let error = forgotten.refresh().await.expect_err("it is forgotten");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
