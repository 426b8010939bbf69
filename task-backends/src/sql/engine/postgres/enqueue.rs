//! Storing new tasks in PostgreSQL: one statement for all of them.

use std::sync::Arc;

use task_core::{Clock, Error, ErrorKind, LATEST_US, Result, RunAfter, Timestamp};
use uuid::Uuid;

use crate::sql::enqueue::NewRows;
use crate::sql::error::corrupt;
use crate::sql::record::timestamp;
use crate::sql::script::Statement;
use crate::sql::transaction::Transaction;
use crate::sql::value::{Column, Value};

/// The tasks' rows, with the database's time. Rows are inserted in the order of the arrays, and
/// so numbered in it.
const NEW: &str = "WITH time AS MATERIALIZED (SELECT coalesce(CAST(? AS bigint), \
         CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS now), \
     new AS (INSERT INTO @task (id, lane, \"rank\", due, enqueued_at, arguments, policy, metadata) ";
/// All due at once.
const DUE_NOW: &str = "SELECT n.id, n.lane, n.\"rank\", time.now, time.now, n.arguments, n.policy, n.metadata \
     FROM time, unnest(CAST(? AS uuid[]), CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS text[]), \
         CAST(? AS text[]), CAST(? AS text[])) AS n(id, lane, \"rank\", arguments, policy, metadata) ";
/// Some due later: from a moment on, or after a delay.
const DUE_LATER: &str = "SELECT n.id, n.lane, n.\"rank\", \
         least(greatest(coalesce(n.moment, time.now), time.now + coalesce(n.delay, 0)), ?), \
         time.now, n.arguments, n.policy, n.metadata \
     FROM time, unnest(CAST(? AS uuid[]), CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS text[]), \
         CAST(? AS text[]), CAST(? AS text[]), CAST(? AS bigint[]), CAST(? AS bigint[])) \
         AS n(id, lane, \"rank\", arguments, policy, metadata, moment, delay) ";
const RETURNING: &str = "RETURNING seq, lane, \"rank\", due, enqueued_at, \
     CASE WHEN policy IS NULL THEN 1 ELSE coalesce(CAST(CAST(policy AS json) ->> 'max_attempts' AS bigint), 1) END AS last), ";
const READY: &str = "ready AS (INSERT INTO @ready (lane, \"rank\", due, seq, attempt, last_attempt) \
     SELECT lane, \"rank\", due, seq, 0, last FROM new WHERE due <= enqueued_at) ";
const SCHEDULED: &str = ", scheduled AS (INSERT INTO @scheduled (lane, \"rank\", due, seq, attempt, last_attempt) \
     SELECT lane, \"rank\", due, seq, 0, last FROM new WHERE due > enqueued_at) ";

pub(super) async fn enqueue(
    clock: Option<&Clock>,
    rows: NewRows,
    transaction: &mut Transaction<'_>,
) -> Result<Timestamp> {
    let later = rows.tasks.iter().any(|task| task.run_after.is_some());
    let sql = if later {
        format!("{NEW}{DUE_LATER}{RETURNING}{READY}{SCHEDULED}SELECT now FROM time")
    } else {
        format!("{NEW}{DUE_NOW}{RETURNING}{READY}SELECT now FROM time")
    };
    let mut values = vec![Value::from(clock.map(|clock| clock.now().as_microsecond()))];
    if later {
        values.push(LATEST_US.into());
    }
    values.extend(columns(rows, later)?);
    let engine = transaction.engine();
    let statement = engine.prepare(Statement::new(sql, values));
    transaction.add(vec![statement]).await?;
    let answer = transaction.send().await?;
    let row = answer
        .rows
        .last()
        .ok_or_else(|| corrupt("the store did not tell when the tasks were accepted"))?;
    timestamp(row.int("now")?)
}

fn columns(rows: NewRows, later: bool) -> Result<Vec<Value>> {
    let count = rows.tasks.len();
    let mut ids = Vec::with_capacity(count);
    let (mut lanes, mut ranks) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut moments, mut delays) = (Vec::new(), Vec::new());
    let mut arguments: Vec<Option<Arc<str>>> = Vec::with_capacity(count);
    let (mut policies, mut metadata) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for task in rows.tasks {
        ids.push(Uuid::from_bytes(*task.id.as_bytes()));
        lanes.push(Some(task.lane));
        ranks.push(Some(task.rank));
        arguments.push(Some(task.arguments));
        policies.push(task.policy);
        metadata.push(task.metadata);
        if later {
            let (moment, delay) = match task.run_after {
                None => (None, None),
                Some(RunAfter::At(moment)) => (Some(moment.as_microsecond()), None),
                Some(RunAfter::In(delay)) => {
                    let delay = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
                    (None, Some(delay.min(LATEST_US)))
                }
                Some(other) => {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        format!("PostgreSQL does not know the due time {other:?}"),
                    ));
                }
            };
            moments.push(moment);
            delays.push(delay);
        }
    }
    let mut columns = vec![
        Column::Ids(ids),
        Column::Ints(lanes),
        Column::Ints(ranks),
        Column::Texts(arguments),
        Column::Texts(policies),
        Column::Texts(metadata),
    ];
    if later {
        columns.extend([Column::Ints(moments), Column::Ints(delays)]);
    }
    Ok(columns.into_iter().map(Value::Column).collect())
}
