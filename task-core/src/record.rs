//! One enqueued task as a backend knows it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{RetryPolicy, RunAfter, TaskFailure, TaskId, TaskStatus};

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
}

impl TaskRecord {
    /// What the application says about the task, by name: what it was defined with and,
    /// over that, what its call said. See [`metadata`](crate::metadata).
    pub fn metadata(&self) -> Map<String, Value> {
        let text = self.metadata.as_deref().unwrap_or("{}");
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The record as one JSON object, with arguments and return value in it as JSON.
    pub fn to_json(&self) -> Value {
        let raw = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let mut object = Map::new();
        object.insert("id".into(), json!(self.id));
        object.insert("name".into(), json!(&*self.name));
        object.insert("status".into(), json!(self.status));
        object.insert("queue".into(), json!(&*self.queue));
        object.insert("priority".into(), json!(self.priority));
        object.insert("run_after".into(), json!(self.run_after));
        object.insert("enqueued_at".into(), json!(self.enqueued_at));
        object.insert("started_at".into(), json!(self.started_at));
        object.insert("last_attempted_at".into(), json!(self.last_attempted_at));
        object.insert("finished_at".into(), json!(self.finished_at));
        object.insert("attempts".into(), json!(self.attempts));
        object.insert("max_attempts".into(), json!(self.policy.max_attempts));
        object.insert("worker_ids".into(), json!(self.worker_ids));
        object.insert("errors".into(), json!(self.errors));
        object.insert("arguments".into(), raw(&self.arguments));
        object.insert("metadata".into(), Value::Object(self.metadata()));
        object.insert(
            "return_value".into(),
            self.return_value.as_deref().map_or(Value::Null, raw),
        );
        Value::Object(object)
    }
}
