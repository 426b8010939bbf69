//! A row of the view `tasks`, in the same words for all databases.

use task_core::{TaskRecord, Timestamp};

/// What the view shows of a task; times in milliseconds.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub id: String,
    pub name: String,
    pub queue: String,
    pub status: String,
    pub priority: i64,
    pub arguments: String,
    pub metadata: Option<String>,
    pub return_value: Option<String>,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub worker: Option<String>,
    pub enqueued_at: i64,
    pub due_at: i64,
    pub last_attempted_at: Option<i64>,
    pub finished_at: Option<i64>,
}

impl Seen {
    /// What it must show of this task.
    pub fn of(record: &TaskRecord) -> Self {
        // The view shows what is stored of ends; of a running attempt only its claim knows.
        let has_ended = record.status.is_finished();
        let attempted = record.last_attempted_at.filter(|_| has_ended);
        let worker = record.worker_ids.last().filter(|_| has_ended);
        Self {
            id: record.id.to_string(),
            name: record.name.to_string(),
            queue: record.queue.to_string(),
            status: record.status.to_string(),
            priority: i64::from(record.priority),
            arguments: record.arguments.to_string(),
            metadata: record.metadata.as_deref().map(str::to_owned),
            return_value: record.return_value.clone(),
            attempts: i64::from(record.attempts),
            last_error: record.errors.last().map(|error| error.failure.message.clone()),
            worker: worker.cloned(),
            enqueued_at: record.enqueued_at.as_millisecond(),
            due_at: record.run_after.unwrap_or(record.enqueued_at).as_millisecond(),
            last_attempted_at: attempted.map(Timestamp::as_millisecond),
            finished_at: record.finished_at.map(Timestamp::as_millisecond),
        }
    }
}

/// Reads a row whose columns `enqueued`, `due`, `attempted` and `finished` are milliseconds.
#[macro_export]
macro_rules! seen_in {
    ($row:expr) => {{
        let row = $row;
        $crate::servers::Seen {
            id: row.get("id_text"),
            name: row.get("name"),
            queue: row.get("queue"),
            status: row.get("status"),
            priority: row.get("priority"),
            arguments: row.get("arguments"),
            metadata: row.get("metadata"),
            return_value: row.get("return_value"),
            attempts: row.get("attempts"),
            last_error: row.get("last_error"),
            worker: row.get("worker"),
            enqueued_at: row.get("enqueued"),
            due_at: row.get("due"),
            last_attempted_at: row.get("attempted"),
            finished_at: row.get("finished"),
        }
    }};
}
