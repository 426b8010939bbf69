//! Listing and counting tasks, for people.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};
use task_core::{Count, Error, ErrorKind, Filter, Page, Result, TaskPage, TaskStatus};

use super::error::{corrupt, from_sqlx};
use super::finish::{CANCELED, FAILED, SUCCESSFUL};
use super::json::{count, json, parse};
use super::listed;
use super::record::{CLAIMS, of_seqs};

/// One page of the tasks a filter selects, the one enqueued last first.
pub(crate) async fn list(readers: &SqlitePool, filter: &Filter, page: &Page) -> Result<TaskPage> {
    if page.size == 0 || page.size > Page::MAX_SIZE {
        let message = format!("a page has 1 to {} tasks, not {}", Page::MAX_SIZE, page.size);
        return Err(Error::new(ErrorKind::InvalidTask, message));
    }
    let before = match &page.after {
        None => i64::MAX,
        Some(mark) => mark.parse().map_err(|error| {
            Error::new(
                ErrorKind::InvalidTask,
                format!("`{mark}` is not where a page ended"),
            )
            .because(error)
        })?,
    };
    // One transaction, so that all parts of the page are of one moment.
    let mut transaction = readers.begin().await.map_err(from_sqlx)?;
    let lanes = lanes(&mut transaction, filter).await?;
    let seqs = select(&mut transaction, filter, lanes.as_deref(), before, page.size + 1).await?;
    let more = seqs.len() > page.size;
    let seqs = &seqs[..seqs.len().min(page.size)];
    let tasks = of_seqs(&mut transaction, &json(seqs)?).await?;
    let next = if more {
        seqs.last().map(ToString::to_string)
    } else {
        None
    };
    Ok(TaskPage {
        tasks: tasks.into_iter().map(|(_, record)| record).collect(),
        next,
    })
}

/// The lanes that the filter's queues and names select, as JSON; `None` means all.
async fn lanes(connection: &mut SqliteConnection, filter: &Filter) -> Result<Option<String>> {
    if filter.queues.is_empty() && filter.names.is_empty() {
        return Ok(None);
    }
    let fits = |list: &[String], value: &String| list.is_empty() || list.contains(value);
    let mut lanes = Vec::new();
    for (lane, queue, name) in all_lanes(connection).await? {
        if fits(&filter.queues, &queue) && fits(&filter.names, &name) {
            lanes.push(lane);
        }
    }
    json(&lanes).map(Some)
}

async fn all_lanes(connection: &mut SqliteConnection) -> Result<Vec<(i64, String, String)>> {
    let rows = sqlx::query("SELECT id, queue, name FROM lane")
        .fetch_all(connection)
        .await
        .map_err(from_sqlx)?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get(0).map_err(from_sqlx)?,
                row.try_get(1).map_err(from_sqlx)?,
                row.try_get(2).map_err(from_sqlx)?,
            ))
        })
        .collect()
}

/// The numbers of the selected tasks below `before`, the largest first. Each state is
/// read from the table it shows in.
async fn select(
    connection: &mut SqliteConnection,
    filter: &Filter,
    lanes: Option<&str>,
    before: i64,
    limit: usize,
) -> Result<Vec<i64>> {
    let in_lanes = if lanes.is_some() {
        "lane IN (SELECT value FROM json_each(?1))"
    } else {
        "?1 IS NULL"
    };
    let first = |from: &str| {
        format!(
            "SELECT * FROM (SELECT seq FROM {from} AND seq < ?2 AND {in_lanes} ORDER BY seq DESC LIMIT ?3)"
        )
    };
    let mut sources = Vec::new();
    let mut running = String::from("[]");
    if filter.statuses.is_empty() {
        sources.push(first("task WHERE 1"));
    }
    let statuses: BTreeSet<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
    for status in TaskStatus::ALL
        .into_iter()
        .filter(|status| statuses.contains(status.as_str()))
    {
        match status {
            TaskStatus::Ready => sources.extend([first("ready WHERE 1"), first("scheduled WHERE 1")]),
            TaskStatus::Running => {
                running = json(&running_seqs(connection).await?)?;
                sources.push(first("task WHERE seq IN (SELECT value FROM json_each(?4))"));
            }
            TaskStatus::Successful => sources.push(first(&format!("result WHERE status = {SUCCESSFUL}"))),
            TaskStatus::Failed => sources.push(first(&format!("result WHERE status = {FAILED}"))),
            TaskStatus::Canceled => sources.push(first(&format!("result WHERE status = {CANCELED}"))),
            // No task waits for another one yet, so none can be in this state.
            _ => {}
        }
    }
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT seq FROM ({}) ORDER BY seq DESC LIMIT ?3",
        sources.join(" UNION ALL ")
    );
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(lanes)
        .bind(before)
        .bind(count(limit))
        .bind(running)
        .fetch_all(connection)
        .await
        .map_err(from_sqlx)?;
    rows.iter().map(|row| row.try_get(0).map_err(from_sqlx)).collect()
}

/// The numbers of all tasks that are claimed and have not ended.
async fn running_seqs(connection: &mut SqliteConnection) -> Result<Vec<i64>> {
    let mut claimed = Vec::new();
    for row in sqlx::query(CLAIMS)
        .fetch_all(&mut *connection)
        .await
        .map_err(from_sqlx)?
    {
        let tasks = listed::read(row.try_get("tasks").map_err(from_sqlx)?)?;
        claimed.extend(tasks.iter().map(|task| task.seq).filter(|seq| *seq > 0));
    }
    // A task of a claim's list has ended when it has a result, and goes back to wait
    // for a retry while its batch goes on.
    let query = "SELECT json_group_array(t.seq) FROM json_each(?) s CROSS JOIN task t ON t.seq = s.value \
         LEFT JOIN rescheduled m ON m.seq = t.seq \
         WHERE NOT EXISTS (SELECT 1 FROM result r WHERE r.seq = t.seq) \
           AND NOT EXISTS (SELECT 1 FROM ready q WHERE q.lane = t.lane AND q.rank = t.rank \
                 AND q.due = coalesce(m.due, t.due) AND q.seq = t.seq) \
           AND NOT EXISTS (SELECT 1 FROM scheduled d WHERE d.due = coalesce(m.due, t.due) AND d.seq = t.seq)";
    let row = sqlx::query(query)
        .bind(json(&claimed)?)
        .fetch_one(connection)
        .await
        .map_err(from_sqlx)?;
    let seqs: Vec<i64> = parse(row.try_get(0).map_err(from_sqlx)?)?;
    Ok(seqs.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
}

/// How many tasks of each queue are in each state.
pub(crate) async fn counts(readers: &SqlitePool) -> Result<Vec<Count>> {
    let mut transaction = readers.begin().await.map_err(from_sqlx)?;
    let queues: BTreeMap<i64, String> = all_lanes(&mut transaction)
        .await?
        .into_iter()
        .map(|(lane, queue, _)| (lane, queue))
        .collect();
    let running = json(&running_seqs(&mut transaction).await?)?;
    let query = "SELECT lane, 0 AS status, count(*) AS tasks FROM ready GROUP BY lane \
         UNION ALL SELECT lane, 0, count(*) FROM scheduled GROUP BY lane \
         UNION ALL SELECT t.lane, -1, count(*) FROM json_each(?) s CROSS JOIN task t ON t.seq = s.value GROUP BY t.lane \
         UNION ALL SELECT lane, status, count(*) FROM result GROUP BY lane, status";
    let rows = sqlx::query(query)
        .bind(running)
        .fetch_all(&mut *transaction)
        .await
        .map_err(from_sqlx)?;
    let mut totals: BTreeMap<(String, &str), (TaskStatus, u64)> = BTreeMap::new();
    for row in rows {
        let lane: i64 = row.try_get("lane").map_err(from_sqlx)?;
        let status = match row.try_get("status").map_err(from_sqlx)? {
            -1_i64 => TaskStatus::Running,
            0 => TaskStatus::Ready,
            SUCCESSFUL => TaskStatus::Successful,
            FAILED => TaskStatus::Failed,
            CANCELED => TaskStatus::Canceled,
            other => {
                return Err(corrupt(format!(
                    "column result.status has the unknown value {other}"
                )));
            }
        };
        let queue = queues
            .get(&lane)
            .ok_or_else(|| corrupt(format!("lane {lane} is not there")))?
            .clone();
        let tasks: i64 = row.try_get("tasks").map_err(from_sqlx)?;
        totals.entry((queue, status.as_str())).or_insert((status, 0)).1 += u64::try_from(tasks).unwrap_or(0);
    }
    Ok(totals
        .into_iter()
        .map(|((queue, _), (status, tasks))| Count { queue, status, tasks })
        .collect())
}
