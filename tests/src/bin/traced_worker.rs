//! A worker with OpenTelemetry, whose spans are printed in the end. `traced_worker request TEXT` is an
//! application instead: it enqueues a task inside a span.

use std::process::ExitCode;

use conformance::executions::hands_on_words;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use serde_json::json;
use task_core::trace;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> ExitCode {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tests"));
    let filter = tracing_subscriber::EnvFilter::new("warn,task_worker=info,traced_worker=info");
    tracing_subscriber::registry().with(filter).with(layer).init();
    trace::install(trace::OpenTelemetry).expect("the first time");

    let arguments: Vec<String> = std::env::args().collect();
    let code = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "request", text] => request(text),
        _ => task_cli::worker_main(&["conformance"]),
    };
    for span in exporter.get_finished_spans().expect("they are in memory") {
        let name = span.attributes.iter().find(|pair| pair.key.as_str() == "task");
        println!(
            "{}",
            json!({
                "span": span.name,
                "name": name.map(|pair| pair.value.to_string()),
                "trace_id": span.span_context.trace_id().to_string(),
                "span_id": span.span_context.span_id().to_string(),
                "parent_id": span.parent_span_id.to_string(),
                "is_remote": span.parent_span_is_remote,
            })
        );
    }
    code
}

fn request(text: &str) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        task_backends::init().await.expect("settings of the test");
        let enqueue = hands_on_words::enqueue(text);
        enqueue
            .instrument(tracing::info_span!("request"))
            .await
            .expect("accepted");
    });
    ExitCode::SUCCESS
}
