//! One enqueued task as a backend knows it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::metadata::RESERVED_PREFIX;
use crate::{CancelRequest, RetryPolicy, RunAfter, TaskFailure, TaskId, TaskStatus, Unique, json};

/// A task on its way into a backend: checked, with its arguments as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its identity, made by the caller.
    pub id: TaskId,
    /// The stored name of the task function.
    pub name: Arc<str>,
    /// The queue it waits in.
    pub queue: Arc<str>,
    /// -100 to 100, larger runs sooner.
    pub priority: i32,
    /// From when on it may run; `None` means at once.
    pub run_after: Option<RunAfter>,
    /// The arguments: a JSON object with the parameters' names.
    pub arguments: Arc<str>,
    /// Attempts, lost workers, time limit, waiting between attempts.
    pub policy: RetryPolicy,
    /// What the application says about it: the text of a JSON object; `None` for nothing.
    pub metadata: Option<Arc<str>>,
    /// What it must not share with a task that is there; `None` when it may share everything.
    pub unique: Option<Unique>,
}

impl NewTask {
    /// The record of this task once a store accepted it at `now`.
    pub fn accepted(self, now: Timestamp) -> TaskRecord {
        TaskRecord {
            run_after: self
                .run_after
                .map(|run_after| run_after.due(now))
                .filter(|due| *due > now),
            id: self.id,
            name: self.name,
            queue: self.queue,
            priority: self.priority,
            arguments: self.arguments,
            policy: self.policy,
            metadata: self.metadata,
            status: TaskStatus::Ready,
            enqueued_at: now,
            started_at: None,
            last_attempted_at: None,
            finished_at: None,
            attempts: 0,
            worker_ids: Vec::new(),
            errors: Vec::new(),
            return_value: None,
            cancel_request: None,
        }
    }
}

/// An attempt that ended without a return value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptError {
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// Who ran it.
    pub worker_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Why.
    #[serde(flatten)]
    pub failure: TaskFailure,
}

/// Everything stored about one enqueued task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Its identity.
    pub id: TaskId,
    /// The stored name of the task function.
    pub name: Arc<str>,
    /// The queue it waits or waited in.
    pub queue: Arc<str>,
    /// -100 to 100.
    pub priority: i32,
    /// From when on it may run, or run again, where that is later than the moment at which
    /// it was enqueued.
    pub run_after: Option<Timestamp>,
    /// The arguments: a JSON object with the parameters' names.
    pub arguments: Arc<str>,
    /// Attempts, lost workers, time limit, waiting between attempts.
    pub policy: RetryPolicy,
    /// What the application says about it: the text of a JSON object; `None` for nothing.
    pub metadata: Option<Arc<str>>,
    /// Where it is in its life.
    pub status: TaskStatus,
    /// When the store accepted it.
    pub enqueued_at: Timestamp,
    /// When its first attempt began.
    pub started_at: Option<Timestamp>,
    /// When its last attempt began.
    pub last_attempted_at: Option<Timestamp>,
    /// When it reached its final state.
    pub finished_at: Option<Timestamp>,
    /// How many attempts have begun, a running one included.
    pub attempts: u32,
    /// Who ran them, one entry per attempt.
    pub worker_ids: Vec<String>,
    /// One entry per attempt that ended without a return value.
    pub errors: Vec<AttemptError>,
    /// The return value as JSON, when it was successful.
    pub return_value: Option<String>,
    /// Who wanted it to end, and why: of a task that was canceled.
    pub cancel_request: Option<CancelRequest>,
}

impl TaskRecord {
    /// What the application says about the task, by name: what it was defined with and,
    /// over that, what its call said. What the framework keeps there itself is left out. See
    /// [`metadata`](crate::metadata).
    pub fn metadata(&self) -> Map<String, Value> {
        let text = self.metadata.as_deref().unwrap_or("{}");
        let mut all: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        all.retain(|name, _| !name.starts_with(RESERVED_PREFIX));
        all
    }

    /// The record as one JSON object in one line, with arguments and return value in it as
    /// they are stored: no digit of a number is lost.
    pub fn to_json(&self) -> Box<RawValue> {
        let document = Document {
            id: self.id,
            name: &self.name,
            status: self.status,
            queue: &self.queue,
            priority: self.priority,
            run_after: self.run_after,
            enqueued_at: self.enqueued_at,
            started_at: self.started_at,
            last_attempted_at: self.last_attempted_at,
            finished_at: self.finished_at,
            attempts: self.attempts,
            max_attempts: self.policy.max_attempts,
            worker_ids: &self.worker_ids,
            errors: &self.errors,
            arguments: stored(&self.arguments),
            metadata: stored(self.metadata.as_deref().unwrap_or("{}")),
            return_value: self.return_value.as_deref().map(stored),
            cancel_request: self.cancel_request.as_ref(),
        };
        // Plain data: writing it cannot fail.
        serde_json::value::to_raw_value(&document).unwrap_or_default()
    }
}

/// A record as programs read it.
#[derive(Serialize)]
struct Document<'a> {
    id: TaskId,
    name: &'a str,
    status: TaskStatus,
    queue: &'a str,
    priority: i32,
    run_after: Option<Timestamp>,
    enqueued_at: Timestamp,
    started_at: Option<Timestamp>,
    last_attempted_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    attempts: u32,
    max_attempts: u32,
    worker_ids: &'a [String],
    errors: &'a [AttemptError],
    arguments: Box<RawValue>,
    metadata: Box<RawValue>,
    return_value: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_request: Option<&'a CancelRequest>,
}

/// A stored text as the JSON it is, or as a JSON text if it is none.
fn stored(text: &str) -> Box<RawValue> {
    RawValue::from_string(json::compact(text))
        .or_else(|_| serde_json::value::to_raw_value(text))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::{Clock, TaskContext};

    fn document(arguments: &str, value: Option<&str>) -> String {
        let mut record = TaskContext::detached("shop::pay").record().clone();
        record.enqueued_at = Clock::system().now();
        record.arguments = arguments.into();
        record.return_value = value.map(ToOwned::to_owned);
        record.to_json().get().to_owned()
    }

    #[test]
    fn numbers_in_a_document_keep_every_digit() {
        let json = document(
            r#"{"sum":123456789012345678901234567890,"rate":1.0}"#,
            Some("1e2"),
        );
        assert!(
            json.ends_with(
                r#""arguments":{"sum":123456789012345678901234567890,"rate":1.0},"metadata":{},"return_value":1e2}"#
            ),
            "{json}"
        );
    }

    #[test]
    fn a_document_has_one_line_and_texts_keep_their_blanks() {
        let json = document("{\n  \"a\": \"x \\\" : y\\\\\",\r\n\t\"b\": [1, 2]\n}\n", None);
        assert!(
            json.contains(r#""arguments":{"a":"x \" : y\\","b":[1,2]},"metadata":{},"return_value":null}"#),
            "{json}"
        );
    }

    #[test]
    fn what_is_stored_and_no_json_is_shown_as_text() {
        assert!(document("no {json", None).contains(r#""arguments":"no {json""#));
    }
}
