//! Whether a backend has the faces its test file lists, and no others.

use task_core::{ErrorKind, TaskBackend, TaskId};

use crate::Store;

/// The faces, and whether this backend has each, as it declares itself.
///
/// # Panics
/// When looking up what was never enqueued is neither answered nor unsupported.
pub async fn offered(backend: &dyn TaskBackend) -> [(&'static str, bool); 6] {
    let keeps = match backend.find(TaskId::new()).await {
        Ok(None) => true,
        Err(error) if error.kind() == ErrorKind::Unsupported => false,
        other => panic!("looking up what was never enqueued: {other:?}"),
    };
    [
        ("producer", true),
        ("keeper", keeps),
        ("forgetful", !keeps),
        ("worker", backend.queue().is_some()),
        ("operator", backend.admin().is_some()),
        ("durable", backend.capabilities().durable),
    ]
}

/// How a backend declares that it does not have this face.
///
/// # Panics
/// For a word that is no face.
pub fn declared_by(face: &str) -> &'static str {
    match face {
        "producer" => "every backend has it",
        "keeper" => "`find` answers `Unsupported`",
        "forgetful" => "`find` answers",
        "worker" => "`queue()` is `None`",
        "operator" => "`admin()` is `None`",
        "durable" => "the capability `durable` is no",
        other => panic!("`{other}` is no face"),
    }
}

/// The faces the backend shows are exactly those listed.
pub async fn are_exactly(store: Store, listed: &[&str]) {
    for (face, has) in offered(&**store.backend()).await {
        assert_eq!(
            listed.contains(&face),
            has,
            "`{face}` must be listed exactly where the backend has it"
        );
    }
}
