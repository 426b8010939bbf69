//! What an application says about its tasks and the framework only carries: a team, a
//! tenant, the request a call came from.
//!
//! A task has what it was defined with, and over that what its call says, name by name:
//!
//! ```
//! use task_core::{TaskOptions, priority};
//!
//! let options: TaskOptions = priority(5).metadata("tenant", "acme").metadata("retries_of", 3);
//! ```
//!
//! It is stored with the task and read back from its record, result and context, and every
//! backend keeps it. Nothing of it decides anything unless a backend of the application's
//! own says so. Names that begin with `task.` belong to the framework.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::trace::TraceContext;
use crate::{Error, ErrorKind, Result, TaskEntry, json, payload};

/// The most metadata of one task, in bytes of JSON.
pub const MAX_METADATA_BYTES: usize = 16 * 1024;

/// What names of the framework's own begin with.
pub const RESERVED_PREFIX: &str = "task.";

/// The metadata of a call, as it is stored.
///
/// # Errors
/// [`ErrorKind::InvalidTask`] for a reserved name, and text that cannot be stored everywhere;
/// [`ErrorKind::TooLarge`] over [`MAX_METADATA_BYTES`].
pub(crate) fn of_call(
    entry: &TaskEntry,
    of_call: &Map<String, Value>,
    trace: Option<TraceContext>,
) -> Result<Option<Arc<str>>> {
    let said = said(entry, of_call)?;
    let Some(trace) = trace else {
        return Ok(said.map(Arc::from));
    };
    let mut names = Map::new();
    trace.write(&mut names);
    let with_trace = merged(said.as_deref().unwrap_or_default(), &names)?;
    // Nobody is refused a task for a trace: what would be too long with it goes without.
    let text = Some(with_trace).filter(|text| text.len() <= MAX_METADATA_BYTES);
    Ok(text.or(said).map(Arc::from))
}

/// The metadata of the definition with names of the framework's own.
pub(crate) fn with_own<const N: usize>(entry: &TaskEntry, own: [(&str, String); N]) -> Result<Arc<str>> {
    let own = own.map(|(name, text)| (name.to_owned(), Value::from(text)));
    merged(entry.metadata, &Map::from_iter(own)).map(Arc::from)
}

/// What the application said.
fn said(entry: &TaskEntry, of_call: &Map<String, Value>) -> Result<Option<String>> {
    if let Some(name) = of_call.keys().find(|name| name.starts_with(RESERVED_PREFIX)) {
        return Err(Error::new(
            ErrorKind::InvalidTask,
            format!("the metadata `{name}` begins with `{RESERVED_PREFIX}`, which belongs to the framework"),
        ));
    }
    let text = match (entry.metadata, of_call.is_empty()) {
        ("", true) => return Ok(None),
        (defined, true) => defined.to_owned(),
        (defined, false) => merged(defined, of_call)?,
    };
    if text.len() > MAX_METADATA_BYTES {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the metadata is {} bytes of JSON, the limit is {MAX_METADATA_BYTES}",
                text.len()
            ),
        )
        .hint("metadata names things; pass the data itself as an argument"));
    }
    json::check(&text).map_err(|refusal| {
        let what = if refusal.path.is_empty() {
            "the metadata".to_owned()
        } else {
            format!("the metadata `{}`", refusal.path)
        };
        Error::new(ErrorKind::InvalidTask, payload::said_of(&what, &refusal.reason))
    })?;
    Ok(Some(text))
}

fn merged(defined: &str, of_call: &Map<String, Value>) -> Result<String> {
    let not_json = |error| {
        Error::new(
            ErrorKind::InvalidTask,
            "the metadata of the definition is no JSON object",
        )
        .because(error)
    };
    let mut all: Map<String, Value> = match defined {
        "" => Map::new(),
        defined => serde_json::from_str(defined).map_err(not_json)?,
    };
    all.extend(of_call.clone());
    serde_json::to_string(&all).map_err(not_json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskOptions;

    const DEFINED: TaskEntry = TaskEntry::new("app::task", |_, _| Box::pin(async { Ok(String::new()) }))
        .metadata(r#"{"team":"mail","cost":3}"#);
    const PLAIN: TaskEntry = TaskEntry::new("app::task", |_, _| Box::pin(async { Ok(String::new()) }));

    fn text(entry: &TaskEntry, options: &TaskOptions) -> Result<Option<String>> {
        of_call(entry, &options.metadata, options.trace.clone())
            .map(|text| text.map(|text| (*text).to_owned()))
    }

    #[test]
    fn what_the_call_says_goes_over_what_the_definition_says() {
        let options = TaskOptions::default()
            .metadata("cost", 5)
            .metadata("tenant", "acme");
        let text_of = |entry: &TaskEntry, options: &TaskOptions| text(entry, options).expect("fits");
        assert_eq!(text_of(&PLAIN, &TaskOptions::default()), None);
        assert_eq!(
            text_of(&DEFINED, &TaskOptions::default()).as_deref(),
            Some(r#"{"team":"mail","cost":3}"#)
        );
        assert_eq!(
            text_of(&PLAIN, &options).as_deref(),
            Some(r#"{"cost":5,"tenant":"acme"}"#)
        );
        let both: Value = serde_json::from_str(&text_of(&DEFINED, &options).expect("some")).expect("JSON");
        assert_eq!(
            both,
            serde_json::json!({"team": "mail", "cost": 5, "tenant": "acme"})
        );
        let newer = options.merged(TaskOptions::default().metadata("tenant", "other"));
        assert!(text_of(&PLAIN, &newer).expect("some").contains("other"));
    }

    #[test]
    fn a_trace_goes_beside_what_the_application_says_and_never_makes_it_too_long() {
        const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = TraceContext::new(PARENT, Some("a=1")).expect("as in the standard");
        let traced = |options: TaskOptions| options.trace_context(trace.clone());
        assert_eq!(
            text(&PLAIN, &traced(TaskOptions::default()))
                .expect("fits")
                .as_deref(),
            Some(
                r#"{"task.traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","task.tracestate":"a=1"}"#
            )
        );
        let both = text(&DEFINED, &traced(TaskOptions::default()))
            .expect("fits")
            .expect("some");
        assert!(both.contains("mail") && both.contains(PARENT), "{both}");
        let full = TaskOptions::default().metadata("x", "y".repeat(MAX_METADATA_BYTES - 8));
        let kept = text(&PLAIN, &traced(full)).expect("fits").expect("some");
        assert!(
            kept.len() == MAX_METADATA_BYTES && !kept.contains("trace"),
            "{}",
            kept.len()
        );
    }

    #[test]
    fn what_cannot_be_kept_everywhere_is_refused() {
        let with = |name: &str, value: Value| TaskOptions::default().metadata(name, value);
        for (options, kind, says) in [
            (
                with("task.trace", "x".into()),
                ErrorKind::InvalidTask,
                "belongs to the framework",
            ),
            (
                with("x", "y".repeat(MAX_METADATA_BYTES).into()),
                ErrorKind::TooLarge,
                "16384",
            ),
            (
                with("x", serde_json::json!(["a\0b"])),
                ErrorKind::InvalidTask,
                "the metadata `x[0]` contains the character U+0000",
            ),
            (
                with("x", (0..100).fold(Value::Null, |inner, _| vec![inner].into())),
                ErrorKind::InvalidTask,
                "is more than 100 levels deep",
            ),
        ] {
            let error = text(&PLAIN, &options).expect_err(says);
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(says), "{error}");
        }
        text(&PLAIN, &with("x", r"a\u0000 spelt out".into())).expect("six characters, not one");
    }
}
