//! `show`: everything known about one task.

use task_core::{AttemptError, TaskRecord, Timestamp};

use super::Session;
use crate::args::OneArgs;
use crate::exit::{Exit, Trouble};
use crate::{connect, duration};

/// Looks one task up.
pub(super) async fn show(args: &OneArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.store.form.json);
    let id = args.id.parse()?;
    connect::with(&args.store.backend, session, async |alias| {
        let record = alias.record(id).await?;
        if output.is_json() {
            output.json(&record.to_json())?;
        } else {
            output.fields(&fields(&record))?;
        }
        Ok(Exit::Done)
    })
    .await
}

fn fields(record: &TaskRecord) -> Vec<(&'static str, String)> {
    let policy = record.policy;
    let canceled = record.cancel_request.clone().unwrap_or_default();
    let moment = |moment: Option<Timestamp>| moment.map_or_else(String::new, |moment| moment.to_string());
    let mut fields = vec![
        ("id", record.id.to_string()),
        ("task", record.name.to_string()),
        ("status", record.status.to_string()),
        ("queue", record.queue.to_string()),
        ("priority", record.priority.to_string()),
        ("enqueued", record.enqueued_at.to_string()),
        ("run after", moment(record.run_after)),
        ("started", moment(record.started_at)),
        (
            "last attempt",
            moment(record.last_attempted_at.filter(|_| record.attempts > 1)),
        ),
        ("finished", moment(record.finished_at)),
        ("took", took(record).unwrap_or_default()),
        ("attempts", attempts(record)),
        (
            "timeout",
            policy.timeout().map(duration::show).unwrap_or_default(),
        ),
        ("workers", record.worker_ids.join(", ")),
        ("canceled by", canceled.by.unwrap_or_default()),
        ("reason", canceled.reason.unwrap_or_default()),
        ("arguments", record.arguments.to_string()),
        ("returned", record.return_value.clone().unwrap_or_default()),
    ];
    fields.extend(record.errors.iter().map(|error| ("error", attempt(error))));
    // What is not known yet, or does not apply, would only be in the way.
    fields.retain(|(_, value)| !value.is_empty());
    fields
}

/// Lost workers and retries by hand do not count as the task's own, so there may be more
/// attempts than it was given.
fn attempts(record: &TaskRecord) -> String {
    let most = record.policy.max_attempts;
    if record.attempts > most {
        format!("{} (max_attempts {most})", record.attempts)
    } else {
        format!("{} of {most}", record.attempts)
    }
}

/// How long the last attempt ran.
fn took(record: &TaskRecord) -> Option<String> {
    let length = record.finished_at?.duration_since(record.last_attempted_at?);
    length.try_into().ok().map(duration::show)
}

fn attempt(error: &AttemptError) -> String {
    format!(
        "attempt {} on {}, {}\n{}",
        error.attempt, error.worker_id, error.ended_at, error.failure
    )
}
