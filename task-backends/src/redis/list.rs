//! Listing and counting tasks, for people.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde::Serialize;
use task_core::{Count, Error, ErrorKind, Filter, Page, Result, TaskPage, TaskRecord, TaskStatus};

use super::answer::{list as values, next, number, number_if_any, text};
use super::enqueue::time;
use super::error::corrupt;
use super::link::{Arguments, Link, Time, each};
use super::record::read_row;
use super::scripts;

/// Above every number of a task: the largest that a double tells from its neighbour.
const ABOVE_ALL: i64 = (1 << 53) - 1;

/// The states by the numbers that scripts use.
const STATUSES: [(u8, TaskStatus); 5] = [
    (0, TaskStatus::Ready),
    (1, TaskStatus::Successful),
    (2, TaskStatus::Failed),
    (3, TaskStatus::Canceled),
    (4, TaskStatus::Running),
];

#[derive(Serialize)]
struct Selection<'f> {
    statuses: BTreeSet<u8>,
    queues: &'f [String],
    names: &'f [String],
}

/// One page of the tasks a filter selects, the one enqueued last first.
pub(crate) async fn list(link: &Link, filter: &Filter, page: &Page) -> Result<TaskPage> {
    if page.size == 0 || page.size > Page::MAX_SIZE {
        let message = format!("a page has 1 to {} tasks, not {}", Page::MAX_SIZE, page.size);
        return Err(Error::new(ErrorKind::InvalidTask, message));
    }
    let below = match &page.after {
        None => ABOVE_ALL,
        Some(mark) => mark
            .parse::<i64>()
            .map(|mark| mark.clamp(0, ABOVE_ALL))
            .map_err(|error| {
                let message = format!("`{mark}` is not where a page ended");
                Error::new(ErrorKind::InvalidTask, message).because(error)
            })?,
    };
    let statuses: BTreeSet<u8> = STATUSES
        .iter()
        .filter(|(_, status)| filter.statuses.contains(status))
        .map(|(number, _)| *number)
        .collect();
    if statuses.is_empty() && !filter.statuses.is_empty() {
        // No task waits for another one yet, so none can be in this state.
        return Ok(TaskPage::default());
    }
    let selection = Selection {
        statuses,
        queues: &filter.queues,
        names: &filter.names,
    };
    let selection =
        serde_json::to_string(&selection).map_err(|error| corrupt(format!("a filter: {error}")))?;
    time(link).await?;
    // One more than asked for says whether there is a next page.
    let shards = link
        .shards()
        .map(|shard| of_shard(link, shard, below, page.size + 1, &selection));
    let mut found: Vec<_> = try_join_all(shards).await?.into_iter().flatten().collect();
    found.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    let has_more = found.len() > page.size;
    found.truncate(page.size);
    let last = found.last().map(|(seq, _)| seq.to_string());
    Ok(TaskPage {
        next: last.filter(|_| has_more),
        tasks: found.into_iter().map(|(_, record)| record).collect(),
    })
}

/// The first tasks of one shard, segment by segment.
async fn of_shard(
    link: &Link,
    shard: u16,
    mut below: i64,
    most: usize,
    selection: &str,
) -> Result<Vec<(i64, TaskRecord)>> {
    let mut found = Vec::new();
    loop {
        let mut asked = Arguments::default();
        asked.number(below);
        asked.number(most - found.len());
        asked.push(selection);
        let answer = link.call(&scripts::LIST, shard, Time::Server, &asked).await?;
        let mut answer = values(answer)?.into_iter();
        let rest = number_if_any(next(&mut answer)?)?;
        for row in answer {
            found.push(read_row(row)?);
        }
        match rest {
            Some(rest) if found.len() < most => below = rest,
            _ => return Ok(found),
        }
    }
}

/// How many tasks of each queue are in each state.
pub(crate) async fn counts(link: &Link) -> Result<Vec<Count>> {
    let mut totals: BTreeMap<(String, &str), (TaskStatus, i64)> = BTreeMap::new();
    time(link).await?;
    for (_, answer) in each(link, &scripts::COUNTS, Time::Server, &Arguments::default()).await? {
        let mut answer = values(answer)?.into_iter();
        while let Some(what) = answer.next() {
            let (what, tasks) = (text(what)?, number(next(&mut answer)?)?);
            let status = STATUSES
                .iter()
                .find(|(number, _)| what.starts_with(char::from(b'0' + number)))
                .ok_or_else(|| corrupt(format!("a count of `{what}`")))?
                .1;
            let queue = what[1..].to_owned();
            totals.entry((queue, status.as_str())).or_insert((status, 0)).1 += tasks;
        }
    }
    let counts = totals.into_iter().filter_map(|((queue, _), (status, tasks))| {
        let tasks = u64::try_from(tasks).ok().filter(|tasks| *tasks > 0)?;
        Some(Count { queue, status, tasks })
    });
    Ok(counts.collect())
}
