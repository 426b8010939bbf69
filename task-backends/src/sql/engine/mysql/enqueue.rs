//! Storing new tasks in MySQL.

use task_core::{Result, Timestamp};

use super::{MAX_STATEMENT_BYTES, Mysql};
use crate::sql::engine::Engine as _;
use crate::sql::enqueue::{NewRow, NewRows};
use crate::sql::record::timestamp;
use crate::sql::script::{Statement, values_statement, values_statements};
use crate::sql::transaction::Transaction;
use crate::sql::value::Value;

const INTO_TASK: &str =
    "INSERT INTO @task (id, lane, \"rank\", due, enqueued_at, arguments, policy, metadata)";
const TASK_ROW: &str = "(?,?,?,?,?,?,?,?)";
const TASK_VALUES: usize = 8;

/// So many tasks are stored by one statement, however many they are.
const FEW_TASKS: usize = 32;

/// Puts the tasks of the statement before where they wait. The numbers of one statement follow
/// each other, in a cluster with a gap between them.
const OF_THE_LAST: &str = "SELECT lane, \"rank\", due, seq, 0, \
         CASE WHEN policy IS NULL THEN 1 ELSE COALESCE(JSON_EXTRACT(policy, '$.max_attempts') + 0, 1) END \
     FROM @task WHERE seq BETWEEN LAST_INSERT_ID() AND LAST_INSERT_ID() + (? - 1) * @@auto_increment_increment \
         AND (seq - LAST_INSERT_ID()) % @@auto_increment_increment = 0";
const INSERT_READY: &str = "INSERT INTO @ready (lane, \"rank\", due, seq, attempt, last_attempt) ";
const INSERT_SCHEDULED: &str = "INSERT INTO @scheduled (lane, \"rank\", due, seq, attempt, last_attempt) ";

pub(super) async fn enqueue(
    engine: &Mysql,
    rows: NewRows,
    transaction: &mut Transaction<'_>,
) -> Result<Timestamp> {
    let accepted_at = timestamp(transaction.now().await?)?;
    let now = accepted_at.as_microsecond();
    let mut tasks = rows.tasks.into_iter().peekable();
    while tasks.peek().is_some() {
        let (mut bytes, mut values) = (0, Vec::new());
        let mut any_scheduled = false;
        while let Some(task) = tasks.next_if(|task| bytes == 0 || bytes + size(task) <= MAX_STATEMENT_BYTES) {
            bytes += size(&task);
            let due = task.due(accepted_at);
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
        for insert in inserts(values) {
            let count = Value::from(i64::try_from(insert.values.len() / TASK_VALUES).unwrap_or(0));
            let ready = format!("{INSERT_READY}{OF_THE_LAST} AND due <= enqueued_at");
            let mut statements = vec![
                engine.prepare(insert),
                engine.prepare(Statement::new(ready, [count.clone()])),
            ];
            if any_scheduled {
                let scheduled = format!("{INSERT_SCHEDULED}{OF_THE_LAST} AND due > enqueued_at");
                statements.push(engine.prepare(Statement::new(scheduled, [count])));
            }
            transaction.add(statements).await?;
        }
    }
    Ok(accepted_at)
}

/// Few tasks go in one statement: callers that enqueue one by one, together. More of them in
/// statements of few sizes, so that each text is prepared once.
fn inserts(values: Vec<Value>) -> Vec<Statement> {
    let rows = values.len() / TASK_VALUES;
    if rows <= FEW_TASKS {
        return vec![values_statement(INTO_TASK, TASK_ROW, "", rows, values)];
    }
    values_statements(INTO_TASK, TASK_ROW, "", TASK_VALUES, values)
}

fn size(task: &NewRow) -> usize {
    let metadata = task.metadata.as_ref().map_or(0, |text| text.len());
    200 + task.arguments.len() + metadata + task.policy.as_ref().map_or(0, |text| text.len())
}
