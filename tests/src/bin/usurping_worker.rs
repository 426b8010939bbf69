//! A worker in which a crate takes the name of a built-in kind of backend.

use task_backends::DummyBackend;
use task_core::{BackendSettings, Result};

task_core::backend_kind! { "sqlite" => open }

async fn open(_: &str, _: &BackendSettings) -> Result<DummyBackend> {
    Ok(DummyBackend::new())
}

task_worker::worker! { tasks = [conformance] }
