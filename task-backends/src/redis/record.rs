//! Looking tasks up: the one place that says what a task's state is.

use redis::Value;
use task_core::{Result, TaskId, TaskRecord, signals};

use super::answer::{bytes, list, next};
use super::enqueue::stamp;
use super::error::corrupt;
use super::link::{Arguments, Link, Time, on};
use super::packed::{self, For};
use super::scripts;

/// One task by its id. Its shard is not known, so every shard is asked at once.
pub(crate) async fn find(link: &Link, id: TaskId) -> Result<Option<TaskRecord>> {
    let before: Vec<u16> = link.shards().collect();
    let asked = id_argument(id);
    let mut answers = on(link, before.iter().copied(), &scripts::FIND, Time::Server, &asked).await?;
    if !link.is_one() && answers.iter().all(|(_, answer)| *answer == Value::Nil) {
        // It may be on a shard that another process was the first to write to.
        stamp(link, 0, None).await?;
        let unasked = link.shards().filter(|shard| !before.contains(shard));
        answers = on(link, unasked, &scripts::FIND, Time::Server, &asked).await?;
    }
    let row = answers.into_iter().find(|(_, answer)| *answer != Value::Nil);
    row.map(|(_, row)| read_row(row).map(|(_, record)| record))
        .transpose()
}

/// A task as `read.lua` gives it, with its number.
pub(crate) fn read_row(row: Value) -> Result<(i64, TaskRecord)> {
    let mut parts = list(row)?.into_iter();
    let mut part = || next(&mut parts).and_then(bytes);
    let (id, body, history, result, claim) = (part()?, part()?, part()?, part()?, part()?);
    let request = part()?;
    let id = task_id(&id)?;
    let (seq, mut record) = packed::read_task(id, &body, For::People)?;
    if !history.is_empty() {
        packed::add_history(&mut record, &history)?;
    }
    if !result.is_empty() {
        packed::add_result(&mut record, &result)?;
    } else if !claim.is_empty() {
        packed::add_claim(&mut record, &claim)?;
    }
    if !request.is_empty() {
        // It is history: that it is damaged keeps nobody from the rest.
        record.cancel_request = Some(serde_json::from_slice(&request).unwrap_or_default());
    }
    Ok((seq, record))
}

/// Sends `task_finished` for tasks that ended here without being run.
pub(crate) async fn announce(link: &Link, ended: &[TaskId]) {
    if ended.is_empty() || !signals::TASK_FINISHED.is_connected() {
        return;
    }
    for id in ended {
        match find(link, *id).await {
            Ok(Some(record)) => signals::TASK_FINISHED.send(&record),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, task = %id, "cannot announce a task that ended"),
        }
    }
}

/// The ids that a script names.
pub(crate) fn ids(value: Value) -> Result<Vec<TaskId>> {
    list(value)?.into_iter().map(|id| task_id(&bytes(id)?)).collect()
}

pub(crate) fn task_id(bytes: &[u8]) -> Result<TaskId> {
    TaskId::from_bytes(bytes).ok_or_else(|| corrupt(format!("a task id of {} bytes", bytes.len())))
}

/// The id of a task as a script's argument.
pub(crate) fn id_argument(id: TaskId) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.push(id.as_bytes());
    arguments
}
