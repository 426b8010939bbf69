//! New tasks on their way into the store. How they are stored is each engine's own.

use std::collections::HashMap;
use std::sync::Arc;

use task_core::{NewTask, Result, RetryPolicy, RunAfter, TaskId, Timestamp};

use super::error::corrupt;
use super::lanes::{Lanes, lanes};
use super::record::timestamp;
use super::transaction::Transaction;

/// The rows of tasks about to be stored. Made before the first statement is sent, so that
/// a task that cannot be stored stops everything before anything is written.
pub(crate) struct NewRows {
    /// The queues and names whose lanes are needed.
    pub(crate) pairs: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) tasks: Vec<NewRow>,
}

/// One task.
pub(crate) struct NewRow {
    pub(crate) id: TaskId,
    /// Which of the pairs it belongs to; the number of its lane once that is known.
    pub(crate) lane: i64,
    pub(crate) rank: i64,
    pub(crate) run_after: Option<RunAfter>,
    pub(crate) arguments: Arc<str>,
    pub(crate) policy: Option<Arc<str>>,
    pub(crate) metadata: Option<Arc<str>>,
}

impl NewRow {
    /// When it is due if it is accepted at this time.
    pub(crate) fn due(&self, now: Timestamp) -> i64 {
        self.run_after
            .map_or(now, |run_after| run_after.due(now))
            .as_microsecond()
    }
}

impl NewRows {
    /// The rows of all these tasks.
    pub(crate) fn new<'t>(tasks: impl Iterator<Item = &'t NewTask>) -> Result<Self> {
        let mut rows = Self {
            pairs: Vec::new(),
            tasks: Vec::with_capacity(tasks.size_hint().0),
        };
        let mut places: HashMap<(&str, &str), usize> = HashMap::new();
        for task in tasks {
            let pair = *places.entry((&task.queue, &task.name)).or_insert_with(|| {
                rows.pairs.push((task.queue.clone(), task.name.clone()));
                rows.pairs.len() - 1
            });
            rows.tasks.push(NewRow {
                id: task.id,
                lane: i64::try_from(pair).unwrap_or(i64::MAX),
                rank: i64::from(-task.priority),
                run_after: task.run_after,
                arguments: task.arguments.clone(),
                policy: policy_text(&task.policy)?,
                metadata: task.metadata.clone(),
            });
        }
        Ok(rows)
    }

    /// Whether every lane is known, so that none has to be made.
    pub(crate) fn has_lanes(&self, lanes: &Lanes) -> bool {
        self.pairs.iter().all(|pair| lanes.find(pair).is_some())
    }

    /// When they were accepted, if they are stored already: the connection may have broken
    /// after the store heard of a commit and before we heard of it. A transaction stores all
    /// of them or none.
    pub(crate) async fn accepted_before(
        &self,
        transaction: &mut Transaction<'_>,
    ) -> Result<Option<Timestamp>> {
        let (Some(first), Some(last)) = (self.tasks.first(), self.tasks.last()) else {
            return Ok(None);
        };
        let query = "SELECT enqueued_at FROM @task WHERE id = ?";
        let rows = transaction.fetch(query, [last.id.into()]).await?;
        let Some(row) = rows.last() else { return Ok(None) };
        let accepted_at = row.int("enqueued_at")?;
        let rows = transaction.fetch(query, [first.id.into()]).await?;
        // Other times: the same ids came with something else.
        match rows.last() {
            Some(row) if row.int("enqueued_at")? == accepted_at => timestamp(accepted_at).map(Some),
            _ => Ok(None),
        }
    }

    /// Stores them and returns the time at which they were accepted.
    pub(crate) async fn store(mut self, transaction: &mut Transaction<'_>) -> Result<Timestamp> {
        if self.tasks.is_empty() {
            return timestamp(transaction.now().await?);
        }
        let numbers = lanes(transaction, &self.pairs).await?;
        for task in &mut self.tasks {
            let pair = usize::try_from(task.lane).unwrap_or(usize::MAX);
            task.lane = *numbers
                .get(pair)
                .ok_or_else(|| corrupt("a task belongs to no lane"))?;
        }
        transaction.made_ready = true;
        let engine = transaction.engine();
        engine.enqueue(self, transaction).await
    }
}

/// The policy as it is stored: nothing when it is the default.
fn policy_text(policy: &RetryPolicy) -> Result<Option<Arc<str>>> {
    if policy.is_default() {
        return Ok(None);
    }
    serde_json::to_string(policy)
        .map(|text| Some(text.into()))
        .map_err(|error| corrupt(format!("a retry policy: {error}")))
}
