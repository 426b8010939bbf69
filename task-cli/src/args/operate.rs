//! What can be typed after `cancel`, `pause` and `resume`.

use clap::Args;
use task_core::CancelRequest;

use super::StoreArgs;
use crate::names::Names;

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The ids that `enqueue` or `list` printed
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    /// Why; kept with the tasks, at most 1000 bytes
    #[arg(long, env = "TASK_CANCEL_REASON", value_name = "TEXT", value_parser = kept_text)]
    pub(crate) reason: Option<String>,
    /// Who wants it; kept with the tasks, at most 1000 bytes [default: user@host]
    #[arg(long, env = "TASK_CANCEL_BY", value_name = "WHO", value_parser = kept_text)]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// The queues
    #[arg(value_name = "QUEUE", required_unless_present = "task")]
    pub(crate) queues: Vec<String>,
    /// Tasks of these names, in every queue; separated by commas
    #[arg(long, env = "TASK_PAUSE_TASK", value_name = "NAMES", value_parser = Names::parse)]
    pub(crate) task: Option<Names>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The queues
    #[arg(value_name = "QUEUE", required_unless_present = "task")]
    pub(crate) queues: Vec<String>,
    /// Tasks of these names; separated by commas
    #[arg(long, env = "TASK_RESUME_TASK", value_name = "NAMES", value_parser = Names::parse)]
    pub(crate) task: Option<Names>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// A text that every backend can keep with a task.
fn kept_text(text: &str) -> Result<String, String> {
    let longest = CancelRequest::MAX_TEXT_BYTES;
    match CancelRequest::default().because(text).check() {
        Ok(()) => Ok(text.to_owned()),
        Err(_) => Err(format!("it has at most {longest} bytes and no U+0000")),
    }
}
