//! Traces of OpenTelemetry, through the spans of `tracing`.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Propagator, TraceContext};

/// Joins tasks to traces of OpenTelemetry: `trace::install(trace::OpenTelemetry)`.
///
/// The current trace is that of the current `tracing` span, so both programs, the one that
/// enqueues and the worker, have the layer of `tracing-opentelemetry` in their subscriber.
/// Metrics are not exported this way; the worker answers `/metrics`.
#[derive(Debug, Clone, Copy)]
pub struct OpenTelemetry;

impl Propagator for OpenTelemetry {
    fn current(&self) -> Option<TraceContext> {
        let of_span = tracing::Span::current().context();
        let context = if of_span.span().span_context().is_valid() {
            of_span
        } else {
            opentelemetry::Context::current()
        };
        let span = context.span();
        let place = span.span_context();
        if !place.is_valid() {
            return None;
        }
        let parent = format!(
            "00-{}-{}-{:02x}",
            place.trace_id(),
            place.span_id(),
            place.trace_flags() & TraceFlags::SAMPLED
        );
        TraceContext::new(parent, Some(&place.trace_state().header())).ok()
    }

    fn adopt(&self, span: &tracing::Span, parent: &TraceContext) {
        let (Ok(trace), Ok(parent_span)) = (
            TraceId::from_hex(parent.trace_id()),
            SpanId::from_hex(parent.span_id()),
        ) else {
            return;
        };
        let is_sampled = parent
            .traceparent()
            .ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']);
        let flags = TraceFlags::default().with_sampled(is_sampled);
        let state = parent.tracestate().and_then(|state| state.parse().ok());
        let state: TraceState = state.unwrap_or_default();
        let place = SpanContext::new(trace, parent_span, flags, true, state);
        let context = opentelemetry::Context::new().with_remote_span_context(place);
        // A span that no layer of OpenTelemetry sees has no parent to set.
        let _ = span.set_parent(context);
    }
}
