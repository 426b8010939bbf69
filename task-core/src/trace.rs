//! Carrying a trace from where a task is enqueued to where it runs.
//!
//! What is carried is the [W3C trace context](https://www.w3.org/TR/trace-context/), two short
//! texts, kept in the task's metadata under names of the framework's own. Where it comes from is
//! said once for the process:
//!
//! ```
//! use task_core::trace::{self, Propagator, TraceContext};
//!
//! /// Joins tasks to the traces of a tracing system of one's own.
//! struct Ours;
//!
//! impl Propagator for Ours {
//!     fn current(&self) -> Option<TraceContext> {
//!         // The trace of the request that is being answered.
//!         TraceContext::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None).ok()
//!     }
//!     fn adopt(&self, span: &tracing::Span, parent: &TraceContext) {
//!         // `span` is that of the attempt which is about to begin.
//!         let _ = (span, parent.traceparent());
//!     }
//! }
//!
//! trace::install(Ours)?;
//! # Ok::<(), task_core::Error>(())
//! ```
//!
//! With the feature `opentelemetry` that is `trace::install(trace::OpenTelemetry)`. One call can
//! say it by itself: [`TaskOptions::trace_context`](crate::TaskOptions::trace_context). Carrying a
//! trace never keeps a task from being enqueued.

#[cfg(feature = "opentelemetry")]
mod opentelemetry;

use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::{Error, ErrorKind, Result, TaskRecord};

#[cfg(feature = "opentelemetry")]
pub use self::opentelemetry::OpenTelemetry;

/// The metadata that holds the trace and its parent span.
pub(crate) const PARENT: &str = "task.traceparent";

/// The metadata that holds what tracing systems add for themselves.
pub(crate) const STATE: &str = "task.tracestate";

/// The length of a `traceparent`: version, trace, parent span and flags in hexadecimal digits.
const PARENT_BYTES: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// The longest `tracestate` that is carried, in bytes.
const MOST_STATE_BYTES: usize = 512;

/// A place in a trace, as it is passed from one process to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    parent: String,
    state: Option<String>,
}

impl TraceContext {
    /// From the texts of the headers `traceparent` and `tracestate`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidTask`] when `traceparent` is not what the standard says; a `tracestate`
    /// that is empty, longer than 512 bytes or not printable ASCII is left out.
    pub fn new(traceparent: impl Into<String>, tracestate: Option<&str>) -> Result<Self> {
        let parent = traceparent.into();
        if !is_parent(&parent) {
            let shown = crate::id::shorten(&parent);
            return Err(
                Error::new(ErrorKind::InvalidTask, format!("`{shown}` is no traceparent"))
                    .hint("such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            );
        }
        let is_state = |state: &&str| {
            (1..=MOST_STATE_BYTES).contains(&state.len())
                && state.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        Ok(Self {
            parent,
            state: tracestate.filter(is_state).map(str::to_owned),
        })
    }

    /// The trace and the span in it: the header `traceparent`.
    pub fn traceparent(&self) -> &str {
        &self.parent
    }

    /// What tracing systems add for themselves: the header `tracestate`.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.parent[3..35]
    }

    /// The span in it: 16 hexadecimal digits.
    pub fn span_id(&self) -> &str {
        &self.parent[36..52]
    }

    pub(crate) fn write(self, metadata: &mut Map<String, Value>) {
        metadata.insert(PARENT.to_owned(), self.parent.into());
        if let Some(state) = self.state {
            metadata.insert(STATE.to_owned(), state.into());
        }
    }
}

fn is_parent(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_number = |part: &str| is_hex(part) && part.bytes().any(|byte| byte != b'0');
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags] = parts[..] else {
        return false;
    };
    text.len() == PARENT_BYTES
        && [version.len(), trace.len(), span.len()] == [2, 32, 16]
        && is_hex(version)
        && version != "ff"
        && is_number(trace)
        && is_number(span)
        && is_hex(flags)
}

impl TaskRecord {
    /// The place in a trace from which it was enqueued, where that was known.
    pub fn trace_context(&self) -> Option<TraceContext> {
        let text = self.metadata.as_deref()?;
        let metadata: Map<String, Value> = serde_json::from_str(text).ok()?;
        let state = metadata.get(STATE).and_then(Value::as_str);
        TraceContext::new(metadata.get(PARENT)?.as_str()?, state).ok()
    }
}

/// Knows the tracing system of the program.
pub trait Propagator: Send + Sync + 'static {
    /// Where in a trace the calling code is; `None` outside of any. Asked when a task is enqueued.
    fn current(&self) -> Option<TraceContext>;

    /// Makes the span of an attempt that is about to begin a child of the place from which the
    /// task was enqueued.
    fn adopt(&self, span: &tracing::Span, parent: &TraceContext);
}

static PROPAGATOR: OnceLock<Box<dyn Propagator>> = OnceLock::new();

/// Says where traces come from, once for the process and before the first task is enqueued or
/// run.
///
/// # Errors
/// [`ErrorKind::State`] at the second call.
pub fn install(propagator: impl Propagator) -> Result<()> {
    PROPAGATOR.set(Box::new(propagator)).map_err(|_| {
        Error::new(
            ErrorKind::State,
            "where traces come from was said before in this process",
        )
    })
}

/// Where the calling code is, as far as anybody knows.
pub(crate) fn current() -> Option<TraceContext> {
    PROPAGATOR.get()?.current()
}

/// For those who run tasks: joins the span of an attempt to the trace the task was enqueued in.
pub fn adopt(span: &tracing::Span, record: &TaskRecord) {
    if let Some(propagator) = PROPAGATOR.get()
        && let Some(parent) = record.trace_context()
    {
        propagator.adopt(span, &parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_taken_apart() {
        let context = TraceContext::new(GOOD, Some("vendor=1")).expect("as in the standard");
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id(), "00f067aa0ba902b7");
        assert_eq!(
            (context.traceparent(), context.tracestate()),
            (GOOD, Some("vendor=1"))
        );
    }

    #[test]
    fn what_is_no_traceparent_is_refused_and_a_bad_tracestate_left_out() {
        for wrong in [
            "",
            "00",
            &GOOD[1..],
            &GOOD.to_uppercase(),
            &GOOD.replace("00-4", "ff-4"),
            &format!("{GOOD}-1"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            "00-ü4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
        ] {
            let error = TraceContext::new(wrong, None).expect_err(wrong);
            assert_eq!(error.kind(), ErrorKind::InvalidTask);
        }
        for wrong in ["", "a\nb", "ü", &"x".repeat(513)] {
            let context = TraceContext::new(GOOD, Some(wrong)).expect("the parent counts");
            assert_eq!(context.tracestate(), None, "{wrong}");
        }
    }
}
