//! Storing new tasks in SQLite.

use task_core::{Result, Timestamp};

use crate::sql::enqueue::NewRows;
use crate::sql::record::timestamp;
use crate::sql::script::values_statements;
use crate::sql::transaction::Transaction;
use crate::sql::value::Value;

const INTO_TASK: &str =
    "INSERT INTO task (id, lane, \"rank\", due, enqueued_at, arguments, policy, metadata)";
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

pub(super) async fn enqueue(rows: NewRows, transaction: &mut Transaction<'_>) -> Result<Timestamp> {
    let accepted_at = timestamp(transaction.now().await?)?;
    let now = accepted_at.as_microsecond();
    let all = i64::try_from(rows.tasks.len()).unwrap_or(i64::MAX);
    let (mut any_ready, mut any_scheduled) = (false, false);
    let mut values = Vec::with_capacity(rows.tasks.len() * TASK_VALUES);
    for task in rows.tasks {
        let due = task.due(accepted_at);
        any_ready |= due <= now;
        any_scheduled |= due > now;
        values.extend([
            Value::from(task.id),
            task.lane.into(),
            task.rank.into(),
            due.into(),
            now.into(),
            task.arguments.into(),
            task.policy.into(),
            task.metadata.into(),
        ]);
    }
    let statements = values_statements(INTO_TASK, TASK_ROW, "", TASK_VALUES, values);
    transaction.add(statements).await?;
    if any_ready {
        transaction.run(INSERT_READY, [all.into()]);
    }
    if any_scheduled {
        transaction.run(INSERT_SCHEDULED, [all.into()]);
    }
    Ok(accepted_at)
}
