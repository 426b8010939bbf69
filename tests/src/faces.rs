//! Whether a backend has the faces its test file lists, and no others.

use task_core::{ErrorKind, TaskId};

use crate::Store;

/// The faces the backend shows are exactly those listed.
pub async fn are_exactly(store: Store, listed: &[&str]) {
    let backend = store.backend();
    let keeps = match backend.find(TaskId::new()).await {
        Ok(None) => true,
        Err(error) if error.kind() == ErrorKind::Unsupported => false,
        other => panic!("looking up what was never enqueued: {other:?}"),
    };
    let faces = [
        ("producer", true),
        ("keeper", keeps),
        ("forgetful", !keeps),
        ("worker", backend.queue().is_some()),
        ("operator", backend.admin().is_some()),
        ("durable", backend.capabilities().durable),
    ];
    for (face, has) in faces {
        assert_eq!(
            listed.contains(&face),
            has,
            "`{face}` must be listed exactly where the backend has it"
        );
    }
}
