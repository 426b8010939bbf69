//! `wait`: until a task has ended.

use std::time::Duration;

use serde_json::Value;
use task_core::{ErrorKind, TaskResult};

use super::Session;
use crate::args::WaitArgs;
use crate::connect;
use crate::exit::{Exit, Trouble, say};

/// Waits for the end of a task. Its return value is printed; an end without one has its own
/// exit code, as has the end of the time to wait.
pub(super) async fn wait(args: &WaitArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.one.store.form.json);
    let id = args.one.id.parse()?;
    connect::with(&args.one.store.backend, session, async |alias| {
        let mut result: TaskResult<Value> = alias.result(id).await?;
        let ended = result.wait(args.timeout.unwrap_or(Duration::MAX)).await;
        let exit = match &ended {
            Ok(_) => Exit::Done,
            Err(error) if error.kind() == ErrorKind::TaskFailed => {
                say(&format!("error: {error}"));
                Exit::TaskFailed
            }
            Err(_) => {
                ended?;
                Exit::Failed
            }
        };
        if output.is_json() {
            output.json(&result.record().to_json())?;
        } else if let Some(value) = &result.record().return_value {
            output.line(value)?;
        }
        Ok(exit)
    })
    .await
}
