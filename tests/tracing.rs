//! What is logged while a task runs says which task it was, and a trace goes on from where a task was
//! enqueued to where it runs.

mod system;

use std::future::Future;

use conformance::executions::{record, says, says_from_thread};
use serde_json::Value;
use system::{PATIENCE, Place, spawn};
use task_core::trace::{self, Propagator, TraceContext};
use task_core::{ErrorKind, TaskOptions};

/// Where the program prints its spans.
const TRACED: &str = env!("CARGO_BIN_EXE_traced_worker");

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The lines that a process said in JSON.
fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_that_a_task_logs_carries_its_span_also_from_a_thread_and_after_waiting() {
    let place = Place::new().await;
    let said = place.enqueue([says::new("hello")]).await[0].to_string();
    let from_thread = place.enqueue([says_from_thread::new("hello")]).await[0].to_string();
    let flags = ["--batch", "--log-format", "json"];
    let mut worker = place.worker("speaks", &flags);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    let lines = lines(&worker.log());
    for (message, id, name) in [
        ("said", &said, "conformance::says"),
        ("said again", &said, "conformance::says"),
        (
            "said from a thread",
            &from_thread,
            "conformance::says_from_thread",
        ),
    ] {
        let line = lines.iter().find(|line| line["fields"]["message"] == message);
        let line = line.unwrap_or_else(|| panic!("{message} in {lines:#?}"));
        let span = &line["span"];
        assert_eq!(
            (&line["fields"]["text"], &span["id"]),
            (&"hello".into(), &id.as_str().into())
        );
        assert_eq!(
            (&span["task"], &span["queue"]),
            (&name.into(), &"default".into()),
            "{line:#}"
        );
        assert_eq!(
            (&span["attempt"], &span["worker"]),
            (&1.into(), &"speaks".into()),
            "{line:#}"
        );
    }
    let outside = lines
        .iter()
        .find(|line| line["fields"]["message"] == "worker ended");
    assert!(
        outside.expect("it says so").get("span").is_none(),
        "no task says that"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_format_of_log_lines_comes_from_the_flag_or_its_twin() {
    let place = Place::new().await;
    let run = ["run", "--batch"];
    let said = place
        .run_with(&[("TASK_LOG_FORMAT", "json")], &run, "")
        .await
        .exits_with(0);
    assert!(!lines(&said.err).is_empty());
    let text = [&run[..], &["--log-format", "text"]].concat();
    let said = place
        .run_with(&[("TASK_LOG_FORMAT", "json")], &text, "")
        .await
        .exits_with(0);
    assert!(
        said.err.contains(" INFO task_worker::worker: worker starts"),
        "{said:?}"
    );
    place
        .run_with(&[("TASK_LOG_FORMAT", "xml")], &run, "")
        .await
        .exits_with(2)
        .complains(&[
            "environment variable TASK_LOG_FORMAT",
            "`xml` is not text or json",
        ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_was_enqueued_inside_a_span_runs_in_the_same_trace_in_another_process() {
    let place = Place::new().await;
    let mut request = place.command(TRACED);
    request.args(["request", "hello"]);
    let mut request = spawn(request, place.folder(), "request");
    assert_eq!(request.exits_within(PATIENCE).await, 0);
    let mut worker = place.command(TRACED);
    worker.args(["run", "--batch", "--worker-id", "traced"]);
    let mut worker = spawn(worker, place.folder(), "traced");
    assert_eq!(worker.exits_within(PATIENCE).await, 0);

    let (asked, ran) = (lines(&request.log()), lines(&worker.log()));
    let named = |spans: &[Value], name: &str| -> Value {
        let of_name = |span: &&Value| span["name"].as_str().or(span["span"].as_str()) == Some(name);
        let found = spans.iter().find(of_name);
        found.unwrap_or_else(|| panic!("{name} in {spans:#?}")).clone()
    };
    let asking = named(&asked, "request");
    let first = named(&ran, "conformance::hands_on_words");
    // Enqueued while the first one ran.
    let second = named(&ran, "conformance::says");
    for (child, parent) in [(&first, &asking), (&second, &first)] {
        assert_eq!(child["trace_id"], parent["trace_id"], "{child:#} {parent:#}");
        assert_eq!(child["parent_id"], parent["span_id"], "{child:#} {parent:#}");
        assert_eq!(child["is_remote"], true);
        assert_ne!(child["span_id"], parent["span_id"]);
    }
}

tokio::task_local! {
    /// The trace of the code that runs.
    static TRACE: Option<TraceContext>;
}

/// A tracing system of one's own.
struct Ours;

impl Propagator for Ours {
    fn current(&self) -> Option<TraceContext> {
        TRACE.try_with(Clone::clone).ok().flatten()
    }

    fn adopt(&self, _: &tracing::Span, _: &TraceContext) {}
}

async fn within<T>(parent: &str, work: impl Future<Output = T>) -> T {
    // Tests of one process share it.
    let _ = trace::install(Ours);
    let context = TraceContext::new(parent, Some("ours=1")).expect("as in the standard");
    TRACE.scope(Some(context), work).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_propagator_of_ones_own_needs_no_opentelemetry_and_its_trace_is_no_metadata_of_the_application() {
    let place = Place::new().await;
    let traced = within(PARENT, place.enqueue([record::new(1)])).await[0];
    let options = TaskOptions::default().metadata("tenant", "acme");
    let both = within(PARENT, place.enqueue([record::new(2).using(options)])).await[0];
    let other = PARENT.replace("4bf", "5bf");
    let explicit = TaskOptions::default().trace_context(TraceContext::new(&other, None).expect("one"));
    let explicit = within(PARENT, place.enqueue([record::new(3).using(explicit)])).await[0];
    let plain = place.enqueue([record::new(4)]).await[0];

    let context = place
        .find(traced)
        .await
        .trace_context()
        .expect("it was enqueued in a trace");
    assert_eq!(
        (context.traceparent(), context.tracestate()),
        (PARENT, Some("ours=1"))
    );
    assert!(
        place.find(traced).await.metadata().is_empty(),
        "the application said nothing"
    );
    let record = place.find(both).await;
    assert_eq!(record.metadata().get("tenant"), Some(&"acme".into()));
    assert_eq!(
        (record.metadata().len(), record.trace_context().is_some()),
        (1, true)
    );
    let context = place
        .find(explicit)
        .await
        .trace_context()
        .expect("the call said so");
    assert_eq!(
        (context.traceparent(), context.tracestate()),
        (other.as_str(), None)
    );
    assert_eq!(place.find(plain).await.trace_context(), None);

    let again = trace::install(Ours).expect_err("the second time");
    assert_eq!(again.kind(), ErrorKind::State);
    let mut worker = place.worker("runs", &["--batch"]);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
}
