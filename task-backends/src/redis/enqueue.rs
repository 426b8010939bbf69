//! Storing the tasks of several callers: all of a caller or none of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use task_core::{NewTask, Result, TaskId, Timestamp};

use super::answer::{list, next, number};
use super::error::corrupt;
use super::link::{Arguments, Link, Time, arguments, on};
use super::packed::{self, timestamp};
use super::scripts;
use super::writer::{Caller, is_taken};

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
}

impl<'t> Parcel<'t> {
    fn add(&mut self, caller: usize, offset: usize, task: &'t NewTask) -> Result<()> {
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
        self.tasks.number(format_args!("{sign}{number}"));
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

    async fn on_one_shard(&self, callers: &[Caller]) -> Result<Vec<Result<Timestamp>>> {
        let mut parcel = Parcel::default();
        for (number, caller) in callers.iter().enumerate() {
            for task in &caller.tasks {
                parcel.add(number, 0, task)?;
            }
        }
        let (now, refused) = self.send(0, Time::Server, &parcel, None).await?;
        let mut answers: Vec<_> = callers.iter().map(|_| Ok(now)).collect();
        refused
            .into_iter()
            .for_each(|caller| answers[caller] = Err(is_taken()));
        Ok(answers)
    }

    /// One script on one shard. Returns when the tasks were accepted, and of whom none was.
    async fn send(
        &self,
        shard: u16,
        time: Time,
        parcel: &Parcel<'_>,
        first: Option<i64>,
    ) -> Result<(Timestamp, Vec<usize>)> {
        let mut arguments = arguments([&self.sender]);
        arguments.number(self.calls);
        parcel.arguments(&mut arguments, first);
        let answer = self.link.call(&scripts::ENQUEUE, shard, time, &arguments).await?;
        let mut answer = list(answer)?.into_iter();
        let now = timestamp(number(next(&mut answer)?)?)?;
        let refused = answer.skip(1).map(|value| {
            let place = usize::try_from(number(value)?).unwrap_or(0);
            let caller = place.checked_sub(1).and_then(|place| parcel.callers.get(place));
            caller
                .map(|(caller, _)| *caller)
                .ok_or_else(|| corrupt("an answer about nobody"))
        });
        Ok((now, refused.collect::<Result<_>>()?))
    }

    async fn on_many_shards(&self, callers: &[Caller]) -> Result<Vec<Result<Timestamp>>> {
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
        let mut answers: Vec<Result<Timestamp>> = callers.iter().map(|_| Ok(now)).collect();
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
                parcel.add(number, first + offset, task)?;
            }
            if !is_whole {
                divided.push((number, parcels));
            }
        }
        let time = Time::At(stamp.now);
        let sends = whole
            .iter()
            .map(|(shard, parcel)| self.send_whole(*shard, time, parcel, stamp.first));
        for refused in join_all(sends).await {
            for (caller, error) in refused {
                answers[caller] = Err(error);
            }
        }
        for (caller, parcels) in &divided {
            if let Err(error) = self.send_divided(time, parcels, stamp.first).await {
                answers[*caller] = Err(error);
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
    ) -> Vec<(usize, task_core::Error)> {
        match self.send(shard, time, parcel, Some(first)).await {
            Ok((_, refused)) => refused.into_iter().map(|caller| (caller, is_taken())).collect(),
            Err(error) => parcel
                .callers
                .iter()
                .map(|(caller, _)| (*caller, error.clone()))
                .collect(),
        }
    }

    /// Tasks of one caller on several shards: staged everywhere, decided at home, then stored everywhere.
    async fn send_divided(&self, time: Time, parcels: &BTreeMap<u16, Parcel<'_>>, first: i64) -> Result<()> {
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
        let steps = parcels
            .keys()
            .map(|shard| self.link.call(&scripts::STAGED, *shard, time, &step));
        let steps = try_join_all(steps).await;
        if is_staged? && is_accepted {
            return steps.map(|_| ());
        }
        Err(is_taken())
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
