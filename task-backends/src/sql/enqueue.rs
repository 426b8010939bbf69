//! Storing new tasks.

use std::collections::HashMap;
use std::sync::Arc;

use task_core::{NewTask, Result, RetryPolicy, Timestamp};

use super::error::corrupt;
use super::lanes::lane;
use super::script::{Insert, Rows, Value};
use super::writer::Transaction;

const INTO_TASK: &str = "INSERT INTO task (id, lane, rank, due, enqueued_at, arguments, policy, metadata)";
const TASK_ROW: &str = "(?,?,?,?,?,?,?,?)";
const TASK_VALUES: usize = 8;

/// Puts the tasks just inserted where they wait. Their numbers follow each other up to
/// the last one: SQLite gives a new row the number after the largest.
const INSERT_READY: &str = "INSERT INTO ready (lane, rank, due, seq, attempt, last_attempt) \
     SELECT lane, rank, due, seq, 0, coalesce(policy ->> 'max_attempts', 1) FROM task \
     WHERE seq > (SELECT max(seq) FROM task) - ? AND due <= enqueued_at";
const INSERT_SCHEDULED: &str = "INSERT INTO scheduled (due, seq, lane, rank, attempt, last_attempt) \
     SELECT due, seq, lane, rank, 0, coalesce(policy ->> 'max_attempts', 1) FROM task \
     WHERE seq > (SELECT max(seq) FROM task) - ? AND due > enqueued_at";

/// The rows of tasks about to be stored. Made before the first statement is sent, so that
/// a task that cannot be stored stops everything before anything is written.
pub(crate) struct NewRows {
    /// The queues and names whose lanes are needed, and which tasks are in which.
    lanes: Vec<(Arc<str>, Arc<str>)>,
    lane_of: Vec<usize>,
    tasks: Vec<Row>,
    accepted_at: Timestamp,
}

struct Row {
    id: [u8; 16],
    rank: i64,
    due: i64,
    arguments: Arc<str>,
    policy: Option<String>,
    metadata: Option<Arc<str>>,
}

impl NewRows {
    /// The rows of all these tasks when they are accepted at `now`.
    pub(crate) fn new<'t>(tasks: impl Iterator<Item = &'t NewTask>, now: i64) -> Result<Self> {
        let accepted_at = Timestamp::from_microsecond(now)
            .map_err(|error| corrupt(format!("the clock shows {now}: {error}")))?;
        let mut rows = Self {
            lanes: Vec::new(),
            lane_of: Vec::new(),
            tasks: Vec::new(),
            accepted_at,
        };
        let mut places: HashMap<(&str, &str), usize> = HashMap::new();
        for task in tasks {
            let lane = *places.entry((&task.queue, &task.name)).or_insert_with(|| {
                rows.lanes.push((task.queue.clone(), task.name.clone()));
                rows.lanes.len() - 1
            });
            rows.lane_of.push(lane);
            rows.tasks.push(Row {
                id: *task.id.as_bytes(),
                rank: i64::from(-task.priority),
                due: task
                    .run_after
                    .map_or(now, |run_after| run_after.due(accepted_at).as_microsecond()),
                arguments: task.arguments.clone(),
                policy: policy_text(&task.policy)?,
                metadata: task.metadata.clone(),
            });
        }
        Ok(rows)
    }

    /// Stores them and returns the time at which they were accepted.
    pub(crate) async fn store(self, transaction: &mut Transaction<'_>) -> Result<Timestamp> {
        if self.tasks.is_empty() {
            return Ok(self.accepted_at);
        }
        let now = self.accepted_at.as_microsecond();
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for (queue, name) in &self.lanes {
            lanes.push(lane(transaction, queue, name).await?);
        }
        let all = i64::try_from(self.tasks.len()).unwrap_or(i64::MAX);
        let (mut any_ready, mut any_scheduled) = (false, false);
        let mut values = Vec::with_capacity(self.tasks.len() * TASK_VALUES);
        for (task, lane) in self.tasks.into_iter().zip(self.lane_of) {
            any_ready |= task.due <= now;
            any_scheduled |= task.due > now;
            values.extend([
                Value::from(task.id.as_slice()),
                lanes[lane].into(),
                task.rank.into(),
                task.due.into(),
                now.into(),
                task.arguments.into(),
                task.policy.into(),
                task.metadata.into(),
            ]);
        }
        transaction
            .insert(Rows::new(Insert::new(INTO_TASK, TASK_ROW, ""), values))
            .await?;
        if any_ready {
            transaction.run(INSERT_READY, [all.into()]);
        }
        if any_scheduled {
            transaction.run(INSERT_SCHEDULED, [all.into()]);
        }
        transaction.made_ready = true;
        Ok(self.accepted_at)
    }
}

/// The policy as it is stored: nothing when it is the default.
fn policy_text(policy: &RetryPolicy) -> Result<Option<String>> {
    if policy.is_default() {
        return Ok(None);
    }
    serde_json::to_string(policy)
        .map(Some)
        .map_err(|error| corrupt(format!("a retry policy: {error}")))
}
