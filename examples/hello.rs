//! The smallest program with a task: the backend `immediate` runs it inside `enqueue`.
//! No settings, no database, no worker.

use std::sync::Arc;

use task_backends::ImmediateBackend;
use task_core::{Backends, task};

/// Say hello.
#[task]
async fn greet(name: String) -> String {
    format!("Hello, {name}!")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> task_core::Result<()> {
    // An application with a tasks.toml says `task_backends::init().await?` instead.
    Backends::single(Arc::new(ImmediateBackend::new())).install()?;

    let result = greet::enqueue("Ada").await?;
    println!(
        "{} is {}: {}",
        result.id(),
        result.status(),
        result.return_value()?
    );
    Ok(())
}
