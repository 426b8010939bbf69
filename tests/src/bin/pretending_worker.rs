//! A worker with a kind of backend that none of our crates has.

use task_backends::SqliteBackend;
use task_core::{BackendSettings, Result};

task_core::backend_kind! { "pretend" => open }

/// A store that is gone with its program.
async fn open(alias: &str, settings: &BackendSettings) -> Result<SqliteBackend> {
    settings.check_options(&["sleepy"])?;
    if settings.option("sleepy")?.unwrap_or(false) {
        eprintln!("{alias} is sleepy");
    }
    SqliteBackend::temporary().await
}

task_worker::worker! { tasks = [conformance] }
