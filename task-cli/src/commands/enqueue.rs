//! `enqueue`: hand in a task by name, with its arguments as JSON.

use std::io::Read as _;
use std::sync::Arc;

use serde::de::IgnoredAny;
use task_core::{BackendAlias, Error, ErrorKind, NewTask, Result, Settings, TaskEntry, TaskId, TaskRecord};

use super::Session;
use crate::args::EnqueueArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::output::Output;

/// What stands for standard input.
const STDIN: &str = "-";

/// How much may stand around the arguments on standard input, such as the end of the line.
const ROOM: usize = 1024;

/// Checks name and arguments, then stores the task. A task that fails on a backend which
/// runs it at once has still been enqueued.
pub(super) async fn enqueue(args: &EnqueueArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.form.json);
    let entry = session.tasks()?.require(&args.name)?;
    let name = args.backend.as_deref().unwrap_or(entry.default_backend());
    let settings = Settings::load()?;
    let limit = connect::find(&settings, name)?.limits.arguments_bytes;
    let task = task(args, entry, arguments(args, limit)?)?;
    let backends = connect::open_for_enqueue(name, &settings, session).await?;
    let alias = backends.get(name)?;
    let stored = store(alias, entry, task).await;
    backends.close().await;
    say(&stored?, alias, session, output)?;
    Ok(Exit::Done)
}

/// The arguments as they were typed, once they are known to be a JSON object.
fn arguments(args: &EnqueueArgs, limit: usize) -> Result<String> {
    let text = if args.arguments == STDIN {
        standard_input(limit)?
    } else {
        args.arguments.clone()
    };
    let text = text.trim();
    let invalid = |message: &'static str| {
        Error::new(ErrorKind::InvalidTask, message)
            .hint("write the parameters by name, as in '{\"name\": \"Ada\"}'")
    };
    // What stands in it is looked at with the task: without a word of it lost.
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) if text.starts_with('{') => Ok(text.to_owned()),
        Ok(_) => Err(invalid("the arguments are JSON, but not an object")),
        Err(error) => Err(invalid("the arguments are not JSON").because(error)),
    }
}

/// What stands on standard input, of which no more is read than may be stored.
fn standard_input(limit: usize) -> Result<String> {
    let most = limit.saturating_add(ROOM);
    let mut bytes = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1))
        .read_to_end(&mut bytes);
    read.map_err(|error| {
        Error::new(
            ErrorKind::InvalidTask,
            "the arguments on standard input cannot be read",
        )
        .because(error)
    })?;
    if bytes.len() > most {
        let message = format!("the arguments on standard input are longer than the limit of {limit} bytes");
        return Err(Error::new(ErrorKind::TooLarge, message).hint(
            "store the data elsewhere and pass its name, or raise `max_arguments_bytes` in tasks.toml",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let message = format!("the arguments on standard input are not UTF-8 from byte {place} on");
        Error::new(ErrorKind::InvalidTask, message)
    })
}

fn task(args: &EnqueueArgs, entry: &TaskEntry, arguments: String) -> Result<NewTask> {
    entry.check_arguments(&arguments).map_err(|failure| {
        // It speaks of stored arguments; these are not, and will not be.
        let reason = failure.message.replace("the arguments do not fit the task: ", "");
        let message = format!(
            "`{}` cannot be called with these arguments: {reason}",
            entry.name()
        );
        Error::new(ErrorKind::InvalidTask, message)
    })?;
    let mut policy = entry.policy();
    policy.max_attempts = args.max_attempts.unwrap_or(policy.max_attempts);
    let queue = args.queue.as_deref().unwrap_or(entry.default_queue());
    Ok(NewTask {
        id: TaskId::new(),
        name: entry.name().into(),
        queue: queue.into(),
        unique: entry.unique_call(queue, &arguments),
        priority: args.priority.unwrap_or(entry.default_priority()),
        run_after: args.run_after,
        arguments: arguments.into(),
        policy,
        metadata: Some(entry.default_metadata())
            .filter(|text| !text.is_empty())
            .map(Into::into),
    })
}

async fn store(alias: &Arc<BackendAlias>, entry: &TaskEntry, task: NewTask) -> Result<TaskRecord> {
    alias.check(&task, entry)?;
    alias.backend().enqueue(vec![task]).await?.pop().ok_or_else(|| {
        Error::new(
            ErrorKind::Backend,
            "the backend was given one task and answered for none",
        )
    })
}

/// The id for programs and people, and beside it what comes next.
fn say(
    record: &TaskRecord,
    alias: &BackendAlias,
    session: &Session<'_>,
    output: Output,
) -> Result<(), Trouble> {
    if output.is_json() {
        return output.json(&record.to_json());
    }
    output.line(&record.id.to_string())?;
    if record.status.is_finished() {
        let ended = match (&record.return_value, record.errors.last()) {
            (Some(value), _) => value.clone(),
            (None, Some(error)) => error.failure.to_string(),
            (None, None) => String::new(),
        };
        output.hint(&format!("it ran at once and is {}: {ended}", record.status));
    } else if alias.backend().kind() == "dummy" {
        output.hint("the dummy backend keeps it in the memory of this process, which ends now");
    } else {
        let backend = match alias.name() {
            task_core::DEFAULT_ALIAS => String::new(),
            name => format!(" --backend {name}"),
        };
        output.hint(&format!("{} show {}{backend}", session.program, record.id));
    }
    Ok(())
}
