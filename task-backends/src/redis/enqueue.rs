//! Storing the tasks of several callers: all of a caller or none of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use redis::Value;
use task_core::{LATEST_US, NewTask, Result, TaskId, Timestamp, Unique, UniqueUntil};

use super::answer::{bytes, list, next, number};
use super::error::corrupt;
use super::link::{Arguments, Link, Time, arguments, on};
use super::packed::{self, timestamp};
use super::record::task_id;
use super::scripts;
use super::writer::{Accepted, Caller, is_taken};

/// One process that stores tasks. It has one call under way on each shard, by whose number a shard knows
/// a call that is sent a second time.
pub(crate) struct Enqueuer {
    link: Arc<Link>,
    sender: String,
    calls: u64,
}

/// Tasks for one shard: those of one caller after those of another.
#[derive(Default)]
struct Parcel<'t> {
    lanes: Vec<(i32, &'t str, &'t str)>,
    lane_of: BTreeMap<(i32, &'t str, &'t str), usize>,
    /// Of which caller, and how many.
    callers: Vec<(usize, usize)>,
    tasks: Arguments,
    /// How far behind the first number of the call each one's own is.
    offsets: Vec<u8>,
    /// Of which caller each task is, and which of that one's.
    places: Vec<(usize, usize)>,
}

/// What one script on one shard answered: when the tasks were accepted, of whom none was, and who holds the keys
/// of tasks that were not stored.
struct Sent {
    now: Timestamp,
    refused: Vec<usize>,
    held_by: Vec<(usize, usize, TaskId)>,
}

impl<'t> Parcel<'t> {
    /// Adds a task of a caller, the so manyth of that one's.
    fn add(&mut self, caller: usize, place: usize, offset: usize, task: &'t NewTask) -> Result<()> {
        self.places.push((caller, place));
        let lane = (-task.priority, &*task.queue, &*task.name);
        let lanes = &mut self.lanes;
        let number = *self.lane_of.entry(lane).or_insert_with(|| {
            lanes.push(lane);
            lanes.len()
        });
        match self.callers.last_mut() {
            Some((last, tasks)) if *last == caller => *tasks += 1,
            _ => self.callers.push((caller, 1)),
        }
        self.offsets
            .extend(u32::try_from(offset).unwrap_or(u32::MAX).to_be_bytes());
        self.tasks.push(task.id.as_bytes());
        let mut packing = Ok(());
        self.tasks
            .write(|bytes| packing = packed::write_task(task, bytes));
        packing?;
        let sign = if packed::has_due_time(task) { "-" } else { "" };
        self.tasks.write(|bytes| {
            bytes.extend(format!("{sign}{number}").into_bytes());
            if let Some(unique) = task.unique {
                write_unique(unique, bytes);
            }
        });
        Ok(())
    }

    /// What follows sender and number of the call.
    fn arguments(&self, into: &mut Arguments, first: Option<i64>) {
        into.write(|bytes| {
            if let Some(first) = first {
                bytes.extend(first.to_be_bytes());
                bytes.extend(&self.offsets);
            }
        });
        into.number(self.lanes.len());
        for (rank, queue, name) in &self.lanes {
            into.number(rank);
            into.number(format_args!("{queue}\u{1f}{name}"));
        }
        into.number(self.callers.len());
        self.callers.iter().for_each(|(_, tasks)| into.number(tasks));
        into.append(&self.tasks);
    }
}

/// A key, for how long it is held, and that time.
fn write_unique(unique: Unique, bytes: &mut Vec<u8>) {
    let (mode, time) = match unique.until {
        UniqueUntil::Started => (0, 0),
        UniqueUntil::For(time) => (
            2,
            i64::try_from(time.as_micros())
                .unwrap_or(LATEST_US)
                .min(LATEST_US),
        ),
        _ => (1, 0),
    };
    bytes.push(b'u');
    bytes.extend(unique.key);
    bytes.push(mode);
    bytes.extend(time.to_be_bytes());
}

impl Enqueuer {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            sender: TaskId::new().to_string(),
            calls: 0,
        }
    }

    /// Stores the tasks and answers every caller; says whether anything was stored.
    pub(crate) async fn store(&mut self, callers: Vec<Caller>) -> bool {
        self.calls += 1;
        let answers = if self.link.is_one() {
            self.on_one_shard(&callers).await
        } else {
            self.on_many_shards(&callers).await
        };
        let mut is_stored = false;
        match answers {
            Ok(answers) => {
                for (caller, answer) in callers.into_iter().zip(answers) {
                    is_stored |= answer.is_ok();
                    caller.answer(answer);
                }
            }
            Err(error) => callers
                .into_iter()
                .for_each(|caller| caller.answer(Err(error.clone()))),
        }
        is_stored
    }

    async fn on_one_shard(&self, callers: &[Caller]) -> Result<Vec<Result<Accepted>>> {
        let mut parcel = Parcel::default();
        for (number, caller) in callers.iter().enumerate() {
            for (place, task) in caller.tasks.iter().enumerate() {
                parcel.add(number, place, 0, task)?;
            }
        }
        let sent = self.send(0, Time::Server, &parcel, None).await?;
        let mut answers = accepted(callers, sent.now);
        for (caller, place, holder) in sent.held_by {
            note(&mut answers, caller, place, holder);
        }
        sent.refused
            .into_iter()
            .for_each(|caller| answers[caller] = Err(is_taken()));
        Ok(answers)
    }

    /// One script on one shard.
    async fn send(&self, shard: u16, time: Time, parcel: &Parcel<'_>, first: Option<i64>) -> Result<Sent> {
        let mut arguments = arguments([&self.sender]);
        arguments.number(self.calls);
        parcel.arguments(&mut arguments, first);
        let answer = self.link.call(&scripts::ENQUEUE, shard, time, &arguments).await?;
        read_answer(answer, parcel)
    }

    async fn on_many_shards(&self, callers: &[Caller]) -> Result<Vec<Result<Accepted>>> {
        let tasks: usize = callers.iter().map(|caller| caller.tasks.len()).sum();
        let mut news = 0;
        for task in callers.iter().flat_map(|caller| &caller.tasks) {
            news |= 1 << self.link.shard_of(&task.queue);
        }
        let before: Vec<u16> = self.link.shards().collect();
        let (stamp, mut known) = tokio::try_join!(
            stamp_using(&self.link, tasks, None, news),
            self.known(callers, before.iter().copied())
        )?;
        // Shards that this process had not heard of.
        let unasked = self.link.shards().filter(|shard| !before.contains(shard));
        known.extend(self.known(callers, unasked).await?);
        let now = timestamp(stamp.now)?;
        let mut answers = accepted(callers, now);
        known
            .into_iter()
            .for_each(|caller| answers[caller] = Err(is_taken()));
        let mut whole: BTreeMap<u16, Parcel<'_>> = BTreeMap::new();
        let mut divided = Vec::new();
        let mut place = 0;
        for (number, caller) in callers.iter().enumerate() {
            let first = place;
            place += caller.tasks.len();
            if answers[number].is_err() {
                continue;
            }
            let mut parcels: BTreeMap<u16, Parcel<'_>> = BTreeMap::new();
            let shard = self.link.shard_of(&caller.tasks[0].queue);
            let is_whole = caller
                .tasks
                .iter()
                .all(|task| self.link.shard_of(&task.queue) == shard);
            for (offset, task) in caller.tasks.iter().enumerate() {
                let parcels = if is_whole { &mut whole } else { &mut parcels };
                let parcel = parcels.entry(self.link.shard_of(&task.queue)).or_default();
                parcel.add(number, offset, first + offset, task)?;
            }
            if !is_whole {
                divided.push((number, parcels));
            }
        }
        let time = Time::At(stamp.now);
        let sends = whole
            .iter()
            .map(|(shard, parcel)| self.send_whole(*shard, time, parcel, stamp.first));
        for (refused, held_by) in join_all(sends).await {
            for (caller, place, holder) in held_by {
                note(&mut answers, caller, place, holder);
            }
            for (caller, error) in refused {
                answers[caller] = Err(error);
            }
        }
        for (caller, parcels) in &divided {
            let sent = self.send_divided(time, parcels, stamp.first).await;
            match sent {
                Ok(held_by) => {
                    for (caller, place, holder) in held_by {
                        note(&mut answers, caller, place, holder);
                    }
                }
                Err(error) => answers[*caller] = Err(error),
            }
        }
        Ok(answers)
    }

    /// Which callers have an id that is stored on one of these shards.
    async fn known(&self, callers: &[Caller], shards: impl Iterator<Item = u16>) -> Result<Vec<usize>> {
        let mut asked = Arguments::default();
        let mut caller_of = Vec::new();
        for (number, caller) in callers.iter().enumerate() {
            for task in &caller.tasks {
                asked.push(task.id.as_bytes());
                caller_of.push(number);
            }
        }
        let mut known = Vec::new();
        for (_, answer) in on(&self.link, shards, &scripts::KNOWN, Time::Server, &asked).await? {
            for place in list(answer)? {
                let place = usize::try_from(number(place)?).unwrap_or(0).saturating_sub(1);
                known.extend(caller_of.get(place));
            }
        }
        Ok(known)
    }

    /// Tasks of callers all of whose tasks are on this shard. Returns who was refused, and why.
    async fn send_whole(
        &self,
        shard: u16,
        time: Time,
        parcel: &Parcel<'_>,
        first: i64,
    ) -> (Vec<(usize, task_core::Error)>, Vec<(usize, usize, TaskId)>) {
        match self.send(shard, time, parcel, Some(first)).await {
            Ok(sent) => {
                let refused = sent.refused.into_iter().map(|caller| (caller, is_taken()));
                (refused.collect(), sent.held_by)
            }
            Err(error) => {
                let callers = parcel.callers.iter();
                (
                    callers.map(|(caller, _)| (*caller, error.clone())).collect(),
                    Vec::new(),
                )
            }
        }
    }

    /// Tasks of one caller on several shards: staged everywhere, decided at home, then stored everywhere.
    /// Returns who holds the keys of those that were not stored.
    async fn send_divided(
        &self,
        time: Time,
        parcels: &BTreeMap<u16, Parcel<'_>>,
        first: i64,
    ) -> Result<Vec<(usize, usize, TaskId)>> {
        let transaction = TaskId::new().to_string();
        let clock = match time {
            Time::At(now) => format!("={now}"),
            Time::Server => String::new(),
        };
        let stages = parcels.iter().map(async |(shard, parcel)| {
            let mut staged = arguments(["stage", &transaction]);
            staged.push(&clock);
            staged.push(&transaction);
            staged.push("");
            parcel.arguments(&mut staged, Some(first));
            let answer = self.link.call(&scripts::STAGED, *shard, time, &staged).await?;
            Ok::<_, task_core::Error>(number(answer)? == 1)
        });
        let is_staged = try_join_all(stages)
            .await
            .map(|staged| staged.into_iter().all(|staged| staged));
        let is_accepted = match is_staged {
            Ok(true) => decide(&self.link, &transaction, "yes").await?,
            _ => false,
        };
        let step = if is_accepted { "apply" } else { "drop" };
        let step = arguments([step, &transaction]);
        let steps = parcels.iter().map(async |(shard, parcel)| {
            let answer = self.link.call(&scripts::STAGED, *shard, time, &step).await?;
            if answer == Value::Int(1) {
                return Ok(Vec::new());
            }
            read_answer(answer, parcel).map(|sent| sent.held_by)
        });
        let steps = try_join_all(steps).await;
        if is_staged? && is_accepted {
            return steps.map(|held_by| held_by.concat());
        }
        Err(is_taken())
    }
}

/// What a script that stored this parcel answered.
fn read_answer(answer: Value, parcel: &Parcel<'_>) -> Result<Sent> {
    let mut answer = list(answer)?.into_iter();
    let mut sent = Sent {
        now: timestamp(number(next(&mut answer)?)?)?,
        refused: Vec::new(),
        held_by: Vec::new(),
    };
    let about_nobody = || corrupt("an answer about nobody");
    for value in answer.skip(1) {
        let value = bytes(value)?;
        if let Some((b'u', rest)) = value.split_first() {
            let (place, holder) = rest.split_at_checked(4).ok_or_else(about_nobody)?;
            let place = <[u8; 4]>::try_from(place).map_or(0, u32::from_be_bytes);
            let place = usize::try_from(place).unwrap_or(0).checked_sub(1);
            let (caller, place) = *place
                .and_then(|place| parcel.places.get(place))
                .ok_or_else(about_nobody)?;
            sent.held_by.push((caller, place, task_id(holder)?));
        } else {
            let place: Option<usize> = std::str::from_utf8(&value)
                .ok()
                .and_then(|text| text.parse().ok());
            let caller = place
                .and_then(|place| parcel.callers.get(place.checked_sub(1)?))
                .ok_or_else(about_nobody)?;
            sent.refused.push(caller.0);
        }
    }
    Ok(sent)
}

/// Everybody's tasks were accepted at this time.
fn accepted(callers: &[Caller], now: Timestamp) -> Vec<Result<Accepted>> {
    let accepted = Accepted {
        now,
        held_by: BTreeMap::new(),
    };
    callers.iter().map(|_| Ok(accepted.clone())).collect()
}

/// This one holds the key of that task of that caller's.
fn note(answers: &mut [Result<Accepted>], caller: usize, place: usize, holder: TaskId) {
    if let Some(Ok(accepted)) = answers.get_mut(caller) {
        accepted.held_by.insert(place, holder);
    }
}

/// The time and numbers of the whole store.
pub(crate) struct Stamp {
    pub(crate) now: i64,
    pub(crate) first: i64,
    /// Of the worker that was asked about, empty when it is gone.
    pub(crate) worker: String,
}

/// Asks the home shard, and hears which shards have been written to.
pub(crate) async fn stamp(link: &Link, numbers: usize, worker: Option<i64>) -> Result<Stamp> {
    stamp_using(link, numbers, worker, 0).await
}

/// The same before these shards are written to, one bit each.
async fn stamp_using(link: &Link, numbers: usize, worker: Option<i64>, shards: u32) -> Result<Stamp> {
    let mut asked = Arguments::default();
    asked.number(numbers);
    match worker {
        Some(worker) => asked.number(worker),
        None => asked.push(""),
    }
    asked.number(shards);
    let answer = link.call(&scripts::STAMP, 0, Time::Server, &asked).await?;
    let mut answer = list(answer)?.into_iter();
    let stamp = Stamp {
        now: number(next(&mut answer)?)?,
        first: number(next(&mut answer)?)?,
        worker: super::answer::text(next(&mut answer)?)?,
    };
    link.heard_of(u32::try_from(number(next(&mut answer)?)?).unwrap_or(0));
    Ok(stamp)
}

/// The time for a step on several shards, all of which are known then: with one shard its own clock does.
pub(crate) async fn time(link: &Link) -> Result<Time> {
    if link.is_one() {
        return Ok(Time::Server);
    }
    Ok(Time::At(stamp(link, 0, None).await?.now))
}

/// Says whether a staged call counts; returns what was said first.
pub(crate) async fn decide(link: &Link, transaction: &str, say: &str) -> Result<bool> {
    let asked = arguments([transaction, say]);
    let answer = link.call(&scripts::TRANSACTION, 0, Time::Server, &asked).await?;
    Ok(super::answer::text(answer)? == "yes")
}
