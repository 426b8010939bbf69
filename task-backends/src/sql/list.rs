//! Listing and counting tasks, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use task_core::{Count, Error, ErrorKind, Filter, Page, Result, TaskPage, TaskStatus};

use super::engine::Engine;
use super::error::corrupt;
use super::finish::{CANCELED, FAILED, SUCCESSFUL};
use super::json::count;
use super::listed;
use super::record::{CLAIMS, of_seqs};
use super::transaction::Reader;
use super::value::Value;

/// One page of the tasks a filter selects, the one enqueued last first.
pub(crate) async fn list(engine: &Arc<dyn Engine>, filter: &Filter, page: &Page) -> Result<TaskPage> {
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
    let mut reader = Reader::begin(engine).await?;
    let lanes = lanes(&mut reader, filter).await?;
    let seqs = select(&mut reader, filter, lanes, before, page.size + 1).await?;
    let more = seqs.len() > page.size;
    let seqs = &seqs[..seqs.len().min(page.size)];
    let tasks = of_seqs(&mut reader, seqs).await?;
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

/// The lanes that the filter's queues and names select; `None` means all.
async fn lanes(reader: &mut Reader, filter: &Filter) -> Result<Option<Vec<i64>>> {
    if filter.queues.is_empty() && filter.names.is_empty() {
        return Ok(None);
    }
    let fits = |list: &[String], value: &str| list.is_empty() || list.iter().any(|one| one == value);
    let mut lanes = Vec::new();
    for (lane, queue, name) in all_lanes(reader).await? {
        if fits(&filter.queues, &queue) && fits(&filter.names, &name) {
            lanes.push(lane);
        }
    }
    Ok(Some(lanes))
}

/// Every lane with its queue and task name.
pub(crate) async fn all_lanes(reader: &mut Reader) -> Result<Vec<(i64, Arc<str>, Arc<str>)>> {
    let rows = reader.fetch("SELECT id, queue, name FROM @lane", []).await?;
    rows.iter()
        .map(|row| Ok((row.int("id")?, row.text("queue")?, row.text("name")?)))
        .collect()
}

/// The numbers of the selected tasks below `before`, the largest first. Each state is
/// read from the table it shows in.
async fn select(
    reader: &mut Reader,
    filter: &Filter,
    lanes: Option<Vec<i64>>,
    before: i64,
    limit: usize,
) -> Result<Vec<i64>> {
    let mut sources = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut add = |from: &str, numbers: Option<Vec<i64>>| {
        let in_lanes = if lanes.is_some() { " AND lane IN (?*)" } else { "" };
        let number = sources.len();
        sources.push(format!(
            "SELECT seq FROM (SELECT seq FROM @{from} AND seq < ?{in_lanes} ORDER BY seq DESC LIMIT ?) s{number}"
        ));
        values.extend(numbers.map(Value::List));
        values.push(before.into());
        values.extend(lanes.clone().map(Value::List));
        values.push(count(limit).into());
    };
    if filter.statuses.is_empty() {
        add("task WHERE 1 = 1", None);
    }
    let statuses: BTreeSet<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
    for status in TaskStatus::ALL
        .into_iter()
        .filter(|status| statuses.contains(status.as_str()))
    {
        match status {
            TaskStatus::Ready => {
                add("ready WHERE 1 = 1", None);
                add("scheduled WHERE 1 = 1", None);
            }
            TaskStatus::Running => {
                add("task WHERE seq IN (?*)", Some(running_seqs(reader).await?));
            }
            TaskStatus::Successful => add(&format!("result WHERE status = {SUCCESSFUL}"), None),
            TaskStatus::Failed => add(&format!("result WHERE status = {FAILED}"), None),
            TaskStatus::Canceled => add(&format!("result WHERE status = {CANCELED}"), None),
            // No task waits for another one yet, so none can be in this state.
            _ => {}
        }
    }
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!("{} ORDER BY seq DESC LIMIT ?", sources.join(" UNION ALL "));
    values.push(count(limit).into());
    let rows = reader.fetch(&query, values).await?;
    rows.iter().map(|row| row.int("seq")).collect()
}

/// The numbers of all tasks that are claimed and have not ended.
async fn running_seqs(reader: &mut Reader) -> Result<Vec<i64>> {
    let mut claimed = BTreeSet::new();
    for row in reader.fetch(CLAIMS, []).await? {
        let tasks = listed::read(&row.text("tasks")?)?;
        claimed.extend(tasks.iter().map(|task| task.seq).filter(|seq| *seq > 0));
    }
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    // A task of a claim's list has ended when it has a result, and goes back to wait
    // for a retry while its batch goes on.
    let query = "SELECT t.seq FROM @task t LEFT JOIN @rescheduled m ON m.seq = t.seq \
         WHERE t.seq IN (?*) AND NOT EXISTS (SELECT 1 FROM @result r WHERE r.seq = t.seq) \
           AND NOT EXISTS (SELECT 1 FROM @ready q WHERE q.lane = t.lane AND q.\"rank\" = t.\"rank\" \
                 AND q.due = coalesce(m.due, t.due) AND q.seq = t.seq) \
           AND NOT EXISTS (SELECT 1 FROM @scheduled d WHERE d.due = coalesce(m.due, t.due) AND d.seq = t.seq) \
         ORDER BY t.seq";
    let claimed: Vec<i64> = claimed.into_iter().collect();
    let rows = reader.fetch(query, [claimed.into()]).await?;
    rows.iter().map(|row| row.int("seq")).collect()
}

/// How many tasks of each queue are in each state.
pub(crate) async fn counts(engine: &Arc<dyn Engine>) -> Result<Vec<Count>> {
    let mut reader = Reader::begin(engine).await?;
    let queues: BTreeMap<i64, Arc<str>> = all_lanes(&mut reader)
        .await?
        .into_iter()
        .map(|(lane, queue, _)| (lane, queue))
        .collect();
    let running = running_seqs(&mut reader).await?;
    let query = "SELECT lane, 0 AS status, count(*) AS tasks FROM @ready GROUP BY lane \
         UNION ALL SELECT lane, 0, count(*) FROM @scheduled GROUP BY lane \
         UNION ALL SELECT lane, -1, count(*) FROM @task WHERE seq IN (?*) GROUP BY lane \
         UNION ALL SELECT lane, status, count(*) FROM @result GROUP BY lane, status";
    let rows = reader.fetch(query, [running.into()]).await?;
    let mut totals: BTreeMap<(String, &str), (TaskStatus, u64)> = BTreeMap::new();
    for row in rows {
        let lane = row.int("lane")?;
        let status = match row.int("status")? {
            -1 => TaskStatus::Running,
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
            .to_string();
        let tasks = row.int("tasks")?;
        totals.entry((queue, status.as_str())).or_insert((status, 0)).1 += u64::try_from(tasks).unwrap_or(0);
    }
    Ok(totals
        .into_iter()
        .map(|((queue, _), (status, tasks))| Count { queue, status, tasks })
        .collect())
}
