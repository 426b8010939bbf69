//! Taking tasks: what is the same for every engine. Which statements take them is each
//! engine's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use task_core::{ClaimRequest, Error, ErrorKind, Result};

use super::back;
use super::taken::Taken;
use super::transaction::{Transaction, Work};
use super::value::Row;

/// A place in the order in which tasks run: small ranks first, then by due time, then by
/// arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) rank: i64,
    pub(crate) due: i64,
    pub(crate) seq: i64,
}

impl Place {
    /// Behind everything.
    pub(crate) const LAST: Self = Self {
        rank: i64::MAX,
        due: i64::MAX,
        seq: i64::MAX,
    };

    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            rank: row.int("rank")?,
            due: row.int("due")?,
            seq: row.int("seq")?,
        })
    }
}

/// A waiting task of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) lane: i64,
}

/// The place of the last task to take when `limit` are wanted of lanes that showed at most
/// `each` of theirs.
pub(crate) fn last_of(mut waiting: Vec<Waiting>, each: usize, limit: usize) -> Option<Place> {
    waiting.sort_unstable();
    cut_at_the_unseen(&mut waiting, each);
    waiting.truncate(limit);
    waiting.last().map(|last| last.place)
}

/// Removes what may come after a task that was not shown: of a lane that showed as many
/// as it was asked for, nothing behind its last one is known.
fn cut_at_the_unseen(waiting: &mut Vec<Waiting>, each: usize) {
    let mut of_lane: BTreeMap<i64, (usize, Place)> = BTreeMap::new();
    for task in waiting.iter() {
        let entry = of_lane.entry(task.lane).or_insert((0, task.place));
        *entry = (entry.0 + 1, task.place);
    }
    let last_known = of_lane
        .values()
        .filter(|(shown, _)| *shown >= each)
        .map(|(_, last)| *last)
        .min();
    if let Some(last_known) = last_known {
        waiting.retain(|task| task.place <= last_known);
    }
}

/// Refuses a worker that left or was given up, by the column `living`.
pub(crate) fn check_living(row: &Row) -> Result<()> {
    if row.maybe_flag("living")? == Some(true) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::State,
        "this worker left or was given up; it must join again to claim",
    ))
}

/// How long until the next scheduled task is due, by the column `next_due`.
pub(crate) fn next_due(row: &Row, now: i64) -> Result<Option<Duration>> {
    let due = row.maybe_int("next_due")?;
    Ok(due.map(|due| Duration::from_micros(u64::try_from(due - now).unwrap_or(0))))
}

/// Claims of which nobody knows yet whether they were committed: the connection may break
/// after the store heard of the commit and before we hear of it. Their tasks would belong to
/// a living worker that does not know them.
#[derive(Debug, Default)]
pub(crate) struct Unsettled(Mutex<BTreeMap<i64, Doubts>>);

/// What may be there of one worker.
#[derive(Debug, Default)]
struct Doubts {
    /// The last number that was heard of.
    heard: i64,
    /// Numbers of claims that may be there.
    numbers: Vec<i64>,
    /// A claim behind the last one may be there, whatever its number.
    unnumbered: bool,
}

/// Claims of a worker that have to be looked for: those with these numbers, and those behind
/// this number.
#[derive(Debug, Clone)]
pub(crate) struct Unheard {
    pub(crate) numbers: Vec<i64>,
    pub(crate) behind: i64,
}

impl Unsettled {
    fn change<T>(&self, worker: i64, change: impl FnOnce(&mut Doubts) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(worker).or_default())
    }

    fn of(&self, worker: i64) -> Option<Unheard> {
        self.change(worker, |doubts| {
            let unheard = Unheard {
                numbers: doubts.numbers.clone(),
                behind: if doubts.unnumbered { doubts.heard } else { i64::MAX },
            };
            (doubts.unnumbered || !doubts.numbers.is_empty()).then_some(unheard)
        })
    }

    /// Everything up to now is known, up to this claim if it took anything.
    fn settle(&self, worker: i64, heard: Option<i64>) {
        self.change(worker, |doubts| {
            *doubts = Doubts {
                heard: heard.unwrap_or(0).max(doubts.heard),
                ..Doubts::default()
            };
        });
    }
}

pub(crate) struct ClaimWork {
    request: ClaimRequest,
    unsettled: Arc<Unsettled>,
    /// The number of this claim.
    number: Option<i64>,
}

impl ClaimWork {
    pub(crate) fn new(request: ClaimRequest, unsettled: Arc<Unsettled>) -> Self {
        Self {
            request,
            unsettled,
            number: None,
        }
    }
}

#[async_trait]
impl Work for ClaimWork {
    type Answer = Taken;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Taken> {
        let engine = transaction.engine();
        let worker = self.request.worker.0;
        if let Some(unheard) = self.unsettled.of(worker) {
            back::return_unheard(transaction, worker, unheard).await?;
        }
        let taken = match engine.claim_at_once(&self.request, transaction).await? {
            Some(taken) => taken,
            None => engine.claim(&self.request, transaction).await?,
        };
        self.number = (!taken.is_empty()).then_some(taken.batch);
        if engine.is_server() {
            self.unsettled
                .change(worker, |doubts| doubts.numbers.extend(self.number));
        }
        Ok(taken)
    }

    async fn run_alone(&mut self, transaction: &mut Transaction<'_>) -> Result<Option<Taken>> {
        let worker = self.request.worker.0;
        if self.unsettled.of(worker).is_some() {
            return Ok(None);
        }
        self.unsettled.change(worker, |doubts| doubts.unnumbered = true);
        let engine = transaction.engine();
        let taken = engine.claim_at_once(&self.request, transaction).await?;
        let taken_any = taken.as_ref().filter(|taken| !taken.is_empty());
        self.number = taken_any.map(|taken| taken.batch);
        if taken.is_none() {
            self.unsettled.settle(worker, None);
        }
        Ok(taken)
    }

    fn settled(&mut self) {
        self.unsettled.settle(self.request.worker.0, self.number);
    }

    fn is_sociable(&self) -> bool {
        true
    }

    fn claims(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(lane: i64, due: i64) -> Waiting {
        Waiting {
            place: Place {
                rank: 0,
                due,
                seq: due,
            },
            lane,
        }
    }

    #[test]
    fn nothing_is_taken_that_an_unseen_task_may_precede() {
        // Lane 1 showed the two it was asked for and may have more from 4 on; lane 2 is exhausted.
        let mut tasks = vec![waiting(1, 1), waiting(2, 3), waiting(1, 4), waiting(2, 9)];
        cut_at_the_unseen(&mut tasks, 3);
        assert_eq!(tasks.len(), 4, "no lane showed as many as it was asked for");
        tasks.pop();
        tasks.push(waiting(3, 9));
        cut_at_the_unseen(&mut tasks, 2);
        assert_eq!(
            tasks.iter().map(|task| task.place.due).collect::<Vec<_>>(),
            [1, 3, 4]
        );
    }
}
