//! Taking tasks: on one shard one script; on several what comes first is looked for on all of them, and
//! then taken where it is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use redis::Value;
use serde::Serialize;
use task_core::{
    Claim, ClaimRequest, Claimed, Error, ErrorKind, FailureKind, Finish, Lease, Outcome, Progress, Result,
    TaskFailure, TaskId, TaskRecord, Timestamp,
};

use super::answer::{bytes, list, next, number, number_if_any};
use super::enqueue::stamp;
use super::error::corrupt;
use super::link::{Arguments, Link, Time, arguments, each};
use super::packed::{self, For, timestamp};
use super::record::{announce, task_id};
use super::{finish, scripts};

/// How many batch numbers a process takes at a time.
const NUMBERS: i64 = 1000;

/// What a script answers that had so much to put apart for other workers that it ended early: it goes on
/// when it is called again, and others come between.
const ASK_AGAIN: Value = Value::Int(2);

/// Takes tasks for the workers of a process.
pub(crate) struct Claimer {
    link: Arc<Link>,
    /// The batch numbers that are ours.
    numbers: tokio::sync::Mutex<Range<i64>>,
    /// Claims whose answer never came: whatever they took goes back before the next one.
    unanswered: Mutex<Vec<i64>>,
}

/// Which lanes a worker takes from.
#[derive(Serialize)]
struct Wish<'r> {
    names: &'r std::collections::HashSet<String>,
    only: &'r Option<std::collections::BTreeSet<String>>,
    except: &'r std::collections::BTreeSet<String>,
}

/// What was taken on one shard, or on all of them.
#[derive(Default)]
struct Part {
    tasks: Vec<Claimed>,
    /// The ends of those that cannot be run.
    damaged: Vec<Finish>,
    next_due: Option<Duration>,
}

/// A claim under way. What it took goes back when its answer never comes, or comes to nobody.
struct UnderWay<'c> {
    claimer: &'c Claimer,
    batch: i64,
    is_answered: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.claimer.unanswered().push(self.batch);
        }
    }
}

/// A task of a claim over several shards, where it stands in the one order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    rank: i8,
    due: f64,
    seq: u64,
    shard: u16,
}

impl Claimer {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            numbers: tokio::sync::Mutex::new(0..0),
            unanswered: Mutex::new(Vec::new()),
        }
    }

    pub(crate) async fn claim(&self, request: &ClaimRequest) -> Result<Claim> {
        self.take_back_unanswered().await?;
        let batch = self.batch().await?;
        let mut under_way = UnderWay {
            claimer: self,
            batch,
            is_answered: false,
        };
        let wish = Wish {
            names: &request.names,
            only: &request.queues.only,
            except: &request.queues.except,
        };
        let wish = serde_json::to_string(&wish).map_err(|error| corrupt(format!("names: {error}")))?;
        let claim = if self.link.is_one() {
            let part = self.claim_on(0, Time::Server, request, "", batch, request.limit, &[], &wish);
            part.await.and_then(|part| part.ok_or_else(|| gone(request)))
        } else {
            self.claim_over(request, batch, &wish).await
        };
        under_way.is_answered = match &claim {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::State,
        };
        let claim = claim?;
        let damaged = claim.damaged.len();
        if damaged > 0 {
            tracing::error!(
                tasks = damaged,
                "what is stored about tasks is damaged: they end FAILED"
            );
            let ends: Vec<TaskId> = claim.damaged.iter().map(|end| end.lease.id()).collect();
            finish::finish(&self.link, &Progress::new(claim.damaged, Vec::new())).await?;
            announce(&self.link, &ends).await;
        }
        Ok(Claim {
            tasks: claim.tasks,
            damaged,
            next_due: claim.next_due,
        })
    }

    fn unanswered(&self) -> MutexGuard<'_, Vec<i64>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no other batch has.
    async fn batch(&self) -> Result<i64> {
        let mut numbers = self.numbers.lock().await;
        if let Some(number) = numbers.next() {
            return Ok(number);
        }
        let mut asked = Arguments::default();
        asked.number(NUMBERS);
        let answer = self.link.call(&scripts::NUMBERS, 0, Time::Server, &asked).await?;
        let last = number(answer)?;
        *numbers = last - NUMBERS + 2..last + 1;
        Ok(last - NUMBERS + 1)
    }

    async fn take_back_unanswered(&self) -> Result<()> {
        loop {
            let Some(batch) = self.unanswered().last().copied() else {
                return Ok(());
            };
            let mut asked = Arguments::default();
            asked.number(batch);
            let time = super::enqueue::time(&self.link).await?;
            each(&self.link, &scripts::UNDO, time, &asked).await?;
            self.unanswered().retain(|other| *other != batch);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the script's")]
    async fn claim_on(
        &self,
        shard: u16,
        time: Time,
        request: &ClaimRequest,
        worker_name: &str,
        batch: i64,
        limit: usize,
        positions: &[u8],
        wish: &str,
    ) -> Result<Option<Part>> {
        let mut asked = Arguments::default();
        asked.number(request.worker.0);
        asked.push(worker_name);
        asked.number(batch);
        asked.number(limit);
        asked.number(if positions.is_empty() { request.starting } else { 0 });
        asked.push(positions);
        asked.push(wish);
        let mut answer = self.link.call(&scripts::CLAIM, shard, time, &asked).await?;
        while answer == ASK_AGAIN {
            answer = self.link.call(&scripts::CLAIM, shard, time, &asked).await?;
        }
        if answer == Value::Int(0) {
            return Ok(None);
        }
        read(answer, batch, request.worker.0, shard).map(Some)
    }

    async fn claim_over(&self, request: &ClaimRequest, batch: i64, wish: &str) -> Result<Part> {
        let stamp = stamp(&self.link, 0, Some(request.worker.0)).await?;
        if stamp.worker.is_empty() {
            return Err(gone(request));
        }
        let time = Time::At(stamp.now);
        let mut asked = arguments([wish]);
        asked.number(request.limit);
        let mut next_due: Option<i64> = None;
        let mut places = Vec::new();
        for (shard, mut answer) in each(&self.link, &scripts::PEEK, time, &asked).await? {
            while answer == ASK_AGAIN {
                answer = self.link.call(&scripts::PEEK, shard, time, &asked).await?;
            }
            let mut answer = list(answer)?.into_iter();
            let due = number_if_any(next(&mut answer)?)?;
            next_due = next_due.into_iter().chain(due).min();
            read_places(&bytes(next(&mut answer)?)?, shard, &mut places)?;
        }
        places.sort_by(Place::compare);
        places.truncate(request.limit);
        let mut positions = vec![Vec::new(); usize::from(self.link.width())];
        for (position, place) in (0_u32..).zip(&places) {
            positions[usize::from(place.shard)].extend(position.to_be_bytes());
        }
        let parts = (0_u16..)
            .zip(&positions)
            .filter(|(_, positions)| !positions.is_empty());
        let parts = parts.map(|(shard, positions)| {
            let limit = positions.len() / 4;
            self.claim_on(shard, time, request, &stamp.worker, batch, limit, positions, wish)
        });
        let mut claim = Part::default();
        for part in join_all(parts).await {
            let part = part?.ok_or_else(|| gone(request))?;
            claim.tasks.extend(part.tasks);
            claim.damaged.extend(part.damaged);
        }
        claim.tasks.sort_by_key(|task| task.lease.position());
        claim.next_due = next_due.map(|due| until(due, stamp.now));
        self.say_what_starts(request, batch, &claim, &positions).await?;
        Ok(claim)
    }

    /// Tells the shards how many tasks start at once. Where something ran before, none does.
    async fn say_what_starts(
        &self,
        request: &ClaimRequest,
        batch: i64,
        claim: &Part,
        positions: &[Vec<u8>],
    ) -> Result<()> {
        if request.starting == 0 || claim.tasks.iter().any(|task| task.record.attempts > 0) {
            return Ok(());
        }
        let starting = u32::try_from(request.starting).unwrap_or(u32::MAX);
        let marks = finish::marks(&[(batch, starting)]);
        let parts = (0_u16..)
            .zip(positions)
            .filter(|(_, positions)| !positions.is_empty());
        let calls = parts.map(|(shard, _)| self.link.call(&scripts::FINISH, shard, Time::Server, &marks));
        try_join_all(calls).await.map(|_| ())
    }
}

impl Place {
    /// The order in which tasks run: small ranks first, then by due time, then by arrival.
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let by_due = || self.due.total_cmp(&other.due);
        self.rank
            .cmp(&other.rank)
            .then_with(by_due)
            .then(self.seq.cmp(&other.seq))
    }
}

fn gone(request: &ClaimRequest) -> Error {
    Error::new(
        ErrorKind::State,
        format!("worker {} has left or was given up", request.worker.0),
    )
}

fn until(due: i64, now: i64) -> Duration {
    Duration::from_micros(u64::try_from(due - now).unwrap_or(0))
}

fn read_places(bytes: &[u8], shard: u16, places: &mut Vec<Place>) -> Result<()> {
    let (packed, rest) = bytes.as_chunks::<17>();
    if !rest.is_empty() {
        return Err(corrupt("places that are no whole number of places"));
    }
    for place in packed {
        let [
            rank,
            d0,
            d1,
            d2,
            d3,
            d4,
            d5,
            d6,
            d7,
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            s6,
            s7,
        ] = *place;
        places.push(Place {
            rank: i8::from_be_bytes([rank]),
            due: f64::from_be_bytes([d0, d1, d2, d3, d4, d5, d6, d7]),
            seq: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            shard,
        });
    }
    Ok(())
}

/// What a shard answered, as claimed tasks.
fn read(answer: Value, batch: i64, worker: i64, shard: u16) -> Result<Part> {
    let mut parts = list(answer)?.into_iter();
    let now = number(next(&mut parts)?)?;
    let next_due = number_if_any(next(&mut parts)?)?.map(|due| until(due, now));
    let ids = bytes(next(&mut parts)?)?;
    let bodies = list(next(&mut parts)?)?;
    let positions = bytes(next(&mut parts)?)?;
    let (positions, _) = positions.as_chunks::<4>();
    let mut histories = BTreeMap::new();
    let mut given = list(next(&mut parts)?)?.into_iter();
    while let Some(place) = given.next() {
        histories.insert(number(place)? - 1, bytes(next(&mut given)?)?);
    }
    let claimed_at = timestamp(now)?;
    let mut part = Part {
        tasks: Vec::with_capacity(bodies.len()),
        damaged: Vec::new(),
        next_due,
    };
    for ((index, id), body) in (0_u32..).zip(ids.chunks(16)).zip(bodies) {
        // Nothing stands where a task has ended since, when this is the answer to a call sent twice.
        let Value::BulkString(body) = body else { continue };
        let id = task_id(id)?;
        let position = positions
            .get(index as usize)
            .map_or(index, |position| u32::from_be_bytes(*position));
        let history = histories.get(&i64::from(index)).map(Vec::as_slice);
        let lease = |seq| Lease::new(id, batch, position, [seq, i64::from(shard), worker]);
        match read_claimed(id, &body, history) {
            Ok((seq, record, last_attempt)) => part.tasks.push(Claimed {
                lease: lease(seq),
                record,
                last_attempt,
                claimed_at,
            }),
            Err(error) => part.damaged.push(damaged(lease(0), claimed_at, &error)),
        }
    }
    Ok(part)
}

fn read_claimed(id: TaskId, body: &[u8], history: Option<&[u8]>) -> Result<(i64, TaskRecord, u32)> {
    let (seq, mut record) = packed::read_task(id, body, For::Running)?;
    let mut last_attempt = record.policy.max_attempts;
    if let Some(history) = history {
        last_attempt = packed::add_history(&mut record, history)?.last_attempt;
    }
    Ok((seq, record, last_attempt))
}

/// The end of a task that cannot be run.
fn damaged(lease: Lease, now: Timestamp, error: &Error) -> Finish {
    let message = format!("what is stored about the task is damaged: {}", error.message());
    Finish {
        lease,
        attempt: 1,
        last_attempt: 1,
        started_at: now,
        ended_at: now,
        outcome: Outcome::Failed(TaskFailure::new(FailureKind::Damaged, message)),
    }
}
