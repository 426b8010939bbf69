//! Writing down how attempts ended and how far batches were started, giving tasks back, and taking those of
//! workers that were lost.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use task_core::{Finish, GivenBack, LATEST_US, Outcome, Progress, Rescued, Result, TaskFailure, TaskId};

use super::answer::{list, next, number, text};
use super::enqueue::{decide, stamp, time};
use super::link::{Arguments, Link, Time, arguments, each};
use super::packed::{CANCELED, FAILED, PackedResult, SUCCESSFUL, failure_text};
use super::record::{announce, ids};
use super::scripts;

/// How long a call over several shards may be under way before it is taken for one whose process died.
const STAGED_FOR: i64 = 60_000_000;

fn shard_of(lease: &task_core::Lease) -> u16 {
    u16::try_from(lease.keys()[1]).unwrap_or(0)
}

/// What is told to one shard, and whose ends they are in the order in which the script counts them.
#[derive(Default)]
struct Told<'p> {
    successes: Vec<(usize, &'p Finish, &'p str)>,
    others: Vec<(usize, &'p Finish)>,
}

/// Writes everything down; returns the tasks that were refused.
pub(crate) async fn finish(link: &Link, progress: &Progress) -> Result<Vec<TaskId>> {
    let mut shards: BTreeMap<u16, Told<'_>> = BTreeMap::new();
    if !progress.started.is_empty() {
        // A batch may have parts on every shard; one that has none there is passed over.
        shards.extend(link.shards().map(|shard| (shard, Told::default())));
    }
    for (place, finish) in progress.finished.iter().enumerate() {
        let told = shards.entry(shard_of(&finish.lease)).or_default();
        match &finish.outcome {
            Outcome::Succeeded(value) => told.successes.push((place, finish, value)),
            _ => told.others.push((place, finish)),
        }
    }
    let calls = shards
        .iter()
        .map(|(shard, told)| tell(link, *shard, told, &progress.started));
    // In the order in which they were told.
    let refused: BTreeSet<usize> = try_join_all(calls).await?.into_iter().flatten().collect();
    let refused = refused
        .into_iter()
        .filter_map(|place| progress.finished.get(place));
    Ok(refused.map(|finish| finish.lease.id()).collect())
}

/// Only how far batches were started.
pub(crate) fn marks(started: &[(i64, u32)]) -> Arguments {
    let mut marks = Arguments::default();
    add_marks(&mut marks, started);
    marks.number(0);
    marks.number(0);
    marks
}

fn add_marks(into: &mut Arguments, started: &[(i64, u32)]) {
    into.number(started.len());
    for (batch, below) in started {
        into.number(batch);
        into.number(below);
    }
}

async fn tell(link: &Link, shard: u16, told: &Told<'_>, started: &[(i64, u32)]) -> Result<Vec<usize>> {
    let values: usize = told.successes.iter().map(|(_, _, value)| value.len() + 60).sum();
    let mut asked =
        Arguments::with_capacity(3 * told.successes.len() + 9 * told.others.len() + 8, values + 64);
    add_marks(&mut asked, started);
    asked.number(told.successes.len());
    for (_, finish, value) in &told.successes {
        asked.push(finish.lease.id().as_bytes());
        asked.push(finish.lease.batch().to_be_bytes());
        asked.write(|bytes| result(finish, SUCCESSFUL, value).write(bytes));
    }
    asked.number(told.others.len());
    for (_, finish) in &told.others {
        add_other(&mut asked, finish)?;
    }
    let answer = link.call(&scripts::FINISH, shard, Time::Server, &asked).await?;
    let places = told.successes.iter().map(|(place, ..)| *place);
    let places: Vec<usize> = places
        .chain(told.others.iter().map(|(place, _)| *place))
        .collect();
    let mut refused = Vec::new();
    for place in list(answer)? {
        let place = usize::try_from(number(place)?).unwrap_or(0).saturating_sub(1);
        refused.extend(places.get(place));
    }
    Ok(refused)
}

fn result<'v>(finish: &Finish, status: u8, value: &'v str) -> PackedResult<'v> {
    PackedResult {
        status,
        batch: finish.lease.batch(),
        attempt: finish.attempt,
        started_at: finish.started_at,
        ended_at: finish.ended_at,
        value,
    }
}

/// An end without a value, as the script takes it.
fn add_other(asked: &mut Arguments, finish: &Finish) -> Result<()> {
    let (kind, status, failure, delay) = match &finish.outcome {
        Outcome::Failed(failure) => ("F", FAILED, failure, None),
        Outcome::Canceled(failure) => ("F", CANCELED, failure, None),
        Outcome::Retry(failure, delay) => ("R", CANCELED, failure, Some(*delay)),
        Outcome::Succeeded(_) => return Ok(()),
    };
    let delay = delay.map_or(0, |delay| i64::try_from(delay.as_micros()).unwrap_or(i64::MAX));
    let due = finish
        .ended_at
        .as_microsecond()
        .saturating_add(delay)
        .min(LATEST_US);
    let failure = failure_text(failure)?;
    asked.push(finish.lease.id().as_bytes());
    asked.push(finish.lease.batch().to_be_bytes());
    asked.number(finish.lease.keys()[0]);
    asked.push(kind);
    asked.write(|bytes| result(finish, status, "").write(bytes));
    asked.write(|bytes| {
        bytes.extend(finish.attempt.to_be_bytes());
        bytes.extend(finish.started_at.as_microsecond().to_be_bytes());
        bytes.extend(finish.ended_at.as_microsecond().to_be_bytes());
        bytes.extend(failure.as_bytes());
    });
    asked.push(due.to_be_bytes());
    asked.number(finish.attempt);
    asked.number(finish.last_attempt);
    Ok(())
}

/// Gives claimed tasks back.
pub(crate) async fn give_back(link: &Link, tasks: &[GivenBack]) -> Result<()> {
    let mut shards: BTreeMap<u16, Arguments> = BTreeMap::new();
    for task in tasks {
        let asked = shards.entry(shard_of(&task.lease)).or_default();
        asked.push(task.lease.id().as_bytes());
        asked.push(task.lease.batch().to_be_bytes());
        asked.number(task.attempt.saturating_sub(1));
        asked.number(task.last_attempt);
        let failure = |failure: &TaskFailure| failure_text(failure);
        match &task.interrupted {
            None => {
                asked.push("");
                asked.push("");
            }
            Some((started_at, why)) => {
                let why = failure(why)?;
                asked.write(|bytes| {
                    bytes.extend(task.attempt.to_be_bytes());
                    bytes.extend(started_at.as_microsecond().to_be_bytes());
                });
                asked.push(why);
            }
        }
        match task.snooze {
            None => asked.push(""),
            Some(snooze) => asked.number(i64::try_from(snooze.as_micros()).unwrap_or(i64::MAX)),
        }
    }
    if shards.is_empty() {
        return Ok(());
    }
    let time = time(link).await?;
    let calls = shards
        .iter()
        .map(|(shard, asked)| link.call(&scripts::GIVE_BACK, *shard, time, asked));
    for answer in try_join_all(calls).await? {
        announce(link, &ids(answer)?).await;
    }
    Ok(())
}

/// Takes the tasks of workers that are gone, shard by shard, and finishes or drops what processes that died
/// left staged.
pub(crate) async fn rescue(link: &Link, limit: usize) -> Result<Rescued> {
    let (now, lost, gone) = expire(link, &[]).await?;
    let mut rescued = Rescued {
        workers: lost,
        ..Rescued::default()
    };
    let time = if link.is_one() {
        Time::Server
    } else {
        Time::At(now)
    };
    if !link.is_one() {
        stamp(link, 0, None).await?;
        settle_staged(link, time).await?;
    }
    if gone.is_empty() {
        return Ok(rescued);
    }
    for shard in link.shards() {
        let left = limit.saturating_sub(rescued.returned + rescued.failed);
        if left == 0 {
            return Ok(rescued);
        }
        let mut asked = Arguments::default();
        asked.number(left);
        gone.iter().for_each(|worker| asked.push(worker));
        let answer = link.call(&scripts::RESCUE, shard, time, &asked).await?;
        let mut answer = list(answer)?.into_iter();
        rescued.returned += usize::try_from(number(next(&mut answer)?)?).unwrap_or(0);
        let ended = ids(next(&mut answer)?)?;
        rescued.failed += ended.len();
        announce(link, &ended).await;
    }
    // Nothing of them is left on any shard.
    if rescued.returned + rescued.failed < limit {
        expire(link, &gone).await?;
    }
    Ok(rescued)
}

/// Gives up workers whose lease ran out. Returns the time, how many, and all that are gone.
async fn expire(link: &Link, swept: &[String]) -> Result<(i64, usize, Vec<String>)> {
    let mut asked = Arguments::default();
    swept.iter().for_each(|worker| asked.push(worker));
    let answer = link.call(&scripts::EXPIRE, 0, Time::Server, &asked).await?;
    let mut answer = list(answer)?.into_iter();
    let now = number(next(&mut answer)?)?;
    let lost = usize::try_from(number(next(&mut answer)?)?).unwrap_or(0);
    Ok((now, lost, answer.map(text).collect::<Result<_>>()?))
}

async fn settle_staged(link: &Link, time: Time) -> Result<()> {
    let mut asked = arguments(["old"]);
    asked.number(STAGED_FOR);
    for (shard, answer) in each(link, &scripts::STAGED, time, &asked).await? {
        for transaction in list(answer)? {
            let transaction = text(transaction)?;
            let step = if decide(link, &transaction, "no").await? {
                "apply"
            } else {
                "drop"
            };
            tracing::info!(transaction, step, "a call whose process died is settled");
            let step = arguments([step, &transaction]);
            link.call(&scripts::STAGED, shard, time, &step).await?;
        }
    }
    Ok(())
}
