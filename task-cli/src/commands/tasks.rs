//! `tasks`: what this binary can run.

use serde_json::{Value, json};
use task_core::TaskEntry;

use super::Session;
use crate::args::TasksArgs;
use crate::duration;
use crate::exit::{Exit, Trouble};
use crate::table::{Column, Table};

/// Lists the registered tasks, by name.
pub(super) fn tasks(args: &TasksArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.form.json);
    let registry = session.registry()?;
    if output.is_json() {
        output.json(&registry.iter().map(document).collect::<Value>())?;
    } else if let Err(none) = session.tasks() {
        output.hint(none.message());
        output.hint(none.advice().unwrap_or_default());
    } else {
        output.table(&table(registry.iter()))?;
        for name in session.idle_crates(registry) {
            output.hint(&format!(
                "the crate `{name}` is named for its tasks, but has none"
            ));
        }
    }
    Ok(Exit::Done)
}

fn table<'a>(entries: impl Iterator<Item = &'a TaskEntry>) -> Table {
    let mut table = Table::new([
        Column::path("TASK"),
        Column::words("QUEUE"),
        Column::number("PRIORITY"),
        Column::text("KIND"),
        Column::number("ATTEMPTS"),
        Column::text("TIMEOUT"),
    ]);
    for entry in entries {
        let policy = entry.policy();
        table.row([
            entry.name().into(),
            entry.default_queue().into(),
            entry.default_priority().to_string().into(),
            kind(entry).into(),
            policy.max_attempts.to_string().into(),
            policy
                .timeout()
                .map_or_else(|| "-".to_owned(), duration::show)
                .into(),
        ]);
        for note in notes(entry) {
            table.note(&note);
        }
    }
    table
}

/// What people look for after they have found the name.
fn notes(entry: &TaskEntry) -> Vec<String> {
    let mut notes = Vec::new();
    if !entry.description().is_empty() {
        notes.push(entry.description().to_owned());
    }
    let (file, line) = entry.place();
    if !file.is_empty() {
        notes.push(format!("{file}:{line}, crate {}", entry.crate_name()));
    }
    if !entry.aliases().is_empty() {
        notes.push(format!("also known as {}", entry.aliases().join(", ")));
    }
    if entry.default_backend() != task_core::DEFAULT_ALIAS {
        notes.push(format!("backend {}", entry.default_backend()));
    }
    notes
}

fn kind(entry: &TaskEntry) -> &'static str {
    if entry.is_async() { "async" } else { "blocking" }
}

fn document(entry: &TaskEntry) -> Value {
    let (file, line) = entry.place();
    let policy = entry.policy();
    json!({
        "name": entry.name(),
        "aliases": entry.aliases(),
        "description": entry.description(),
        "crate": entry.crate_name(),
        "file": file,
        "line": line,
        "queue": entry.default_queue(),
        "priority": entry.default_priority(),
        "backend": entry.default_backend(),
        "kind": kind(entry),
        "takes_context": entry.takes_context(),
        "max_attempts": policy.max_attempts,
        "max_lost": policy.max_lost,
        "timeout_ms": policy.timeout_ms,
    })
}
