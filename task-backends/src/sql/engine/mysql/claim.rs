//! Taking tasks from MySQL: pick and hold, write the claim, delete, read.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use task_core::Result;

use super::super::server::{Source, Taking};
use crate::sql::claim::{Place, Waiting};
use crate::sql::error::corrupt;
use crate::sql::finish::insert_waiting;
use crate::sql::json::count;
use crate::sql::listed::{self, Listed};
use crate::sql::taken::Tasks;
use crate::sql::transaction::Transaction;
use crate::sql::value::{Row, Value};

const DUE: &str = "SELECT due, seq, lane, \"rank\", attempt, last_attempt FROM @scheduled \
     WHERE due <= ? ORDER BY due, seq LIMIT ? FOR UPDATE SKIP LOCKED";

/// What is picked, in the order in which to run it. Rows that another claim holds are passed over.
const PICK: &str = "SELECT seq, lane, \"rank\", due, attempt, last_attempt FROM @ready ";
const OF_ONE_LANE: &str = "FORCE INDEX (by_lane) WHERE lane = ? ORDER BY lane, \"rank\", due, seq LIMIT ?";
const OF_THE_FRONT: &str = "FORCE INDEX (by_order) WHERE lane IN (?*) ORDER BY \"rank\", due, seq LIMIT ?";
const OF_EVERYTHING: &str = "FORCE INDEX (by_order) WHERE lane <= ? ORDER BY \"rank\", due, seq LIMIT ?";
const OF_LANES: &str = "WHERE seq IN (?*) ORDER BY \"rank\", due, seq LIMIT ?";

const TASKS: &str = "SELECT seq, id, enqueued_at, arguments, policy, metadata FROM @task WHERE seq IN (?*)";

/// How many lanes one statement looks at.
const LANES_AT_ONCE: usize = 64;

pub(super) struct MysqlTaking;

#[async_trait]
impl Taking for MysqlTaking {
    async fn promote(&self, transaction: &mut Transaction<'_>, limit: usize) -> Result<()> {
        let now = transaction.now().await?;
        let rows = transaction.fetch(DUE, [now.into(), count(limit).into()]).await?;
        let mut ready = Vec::with_capacity(rows.len() * 6);
        let mut seqs = Vec::with_capacity(rows.len());
        for row in &rows {
            seqs.push(row.int("seq")?);
            for column in ["due", "seq", "lane", "rank", "attempt", "last_attempt"] {
                ready.push(row.int(column)?.into());
            }
        }
        transaction.insert(&insert_waiting("ready"), ready).await?;
        transaction.run("DELETE FROM @scheduled WHERE seq IN (?*)", [seqs.into()]);
        Ok(())
    }

    async fn first_of_lanes(
        &self,
        transaction: &mut Transaction<'_>,
        lanes: &[i64],
        each: usize,
    ) -> Result<Vec<Waiting>> {
        let waiting = "SELECT DISTINCT lane FROM @ready WHERE lane IN (?*)";
        let rows = transaction.fetch(waiting, [Value::List(lanes.to_vec())]).await?;
        let lanes: Vec<i64> = rows.iter().map(|row| row.int("lane")).collect::<Result<_>>()?;
        let mut waiting = Vec::new();
        for lanes in lanes.chunks(LANES_AT_ONCE) {
            let first = "(SELECT lane, \"rank\", due, seq FROM @ready FORCE INDEX (by_lane) WHERE lane = ? \
                 ORDER BY lane, \"rank\", due, seq LIMIT ?)";
            let query = vec![first; lanes.len()].join(" UNION ALL ");
            let values = lanes.iter().flat_map(|lane| [(*lane).into(), count(each).into()]);
            for row in transaction.fetch(&query, values).await? {
                waiting.push(Waiting {
                    place: Place::read(&row)?,
                    lane: row.int("lane")?,
                });
            }
        }
        Ok(waiting)
    }

    async fn take(
        &self,
        transaction: &mut Transaction<'_>,
        source: Source,
        limit: usize,
        [worker, claimed_at, starting]: [Value; 3],
    ) -> Result<Option<(i64, Tasks)>> {
        let (from, what) = match source {
            Source::OneLane(lane) => (OF_ONE_LANE, lane.into()),
            Source::Everything(last) => (OF_EVERYTHING, last.into()),
            Source::Front(lanes) => (OF_THE_FRONT, lanes.into()),
            Source::UpTo { seen, .. } => (OF_LANES, seen.into()),
        };
        let query = format!("{PICK}{from} FOR UPDATE SKIP LOCKED");
        let picked = transaction.fetch(&query, [what, count(limit).into()]).await?;
        if picked.is_empty() {
            return Ok(None);
        }
        let mut list = Vec::with_capacity(picked.len());
        for row in &picked {
            list.push(Listed {
                seq: row.int("seq")?,
                attempt: row.number("attempt")?,
                last_attempt: row.number("last_attempt")?,
            });
        }
        // Where something ran before, the worker says of each batch how far it was started.
        let ran_before = list.iter().any(|task| task.attempt > 0);
        let started = match starting {
            Value::Int(starting) if !ran_before => starting.min(count(list.len())),
            _ => 0,
        };
        transaction.run(
            "INSERT INTO @claim (worker, claimed_at, started, remaining, tasks) VALUES (?, ?, ?, ?, ?)",
            [
                worker,
                claimed_at,
                started.into(),
                count(list.len()).into(),
                listed::write(&list).into(),
            ],
        );
        let numbers = transaction.fetch("SELECT LAST_INSERT_ID() AS id", []).await?;
        let batch = numbers
            .last()
            .ok_or_else(|| corrupt("a claim has no number"))?
            .int("id")?;
        let seqs: Vec<i64> = list.iter().map(|task| task.seq).collect();
        let tasks = transaction.fetch(TASKS, [seqs.clone().into()]).await?;
        // Goes with the commit.
        transaction.run("DELETE FROM @ready WHERE seq IN (?*)", [seqs.into()]);
        Ok(Some((batch, Tasks::Rows(joined(picked, tasks)?))))
    }
}

const COLUMNS: [&str; 11] = [
    "lane",
    "rank",
    "due",
    "seq",
    "attempt",
    "last_attempt",
    "id",
    "enqueued_at",
    "arguments",
    "policy",
    "metadata",
];

/// Picked rows with what their tasks say, in the order of the picked ones.
fn joined(picked: Vec<Row>, tasks: Vec<Row>) -> Result<Vec<Row>> {
    let names: Arc<[Box<str>]> = COLUMNS.iter().map(|name| (*name).into()).collect();
    let mut by_seq = HashMap::with_capacity(tasks.len());
    for task in tasks {
        by_seq.insert(task.int("seq")?, task);
    }
    let mut rows = Vec::with_capacity(picked.len());
    for row in picked {
        let seq = row.int("seq")?;
        let task = by_seq
            .remove(&seq)
            .ok_or_else(|| corrupt(format!("task {seq} waits but is not there")))?;
        let (due, enqueued_at) = (row.int("due")?, task.int("enqueued_at")?);
        rows.push(Row {
            names: names.clone(),
            values: vec![
                row.int("lane")?.into(),
                row.int("rank")?.into(),
                (due != enqueued_at).then_some(due).into(),
                seq.into(),
                row.int("attempt")?.into(),
                row.int("last_attempt")?.into(),
                task.id("id")?.into(),
                enqueued_at.into(),
                task.text("arguments")?.into(),
                task.maybe_text("policy")?.into(),
                task.maybe_text("metadata")?.into(),
            ],
        });
    }
    Ok(rows)
}
