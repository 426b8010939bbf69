//! What to claim next: from which queues, which tasks, how many. Nothing here asks anybody; the
//! fetcher does.
//!
//! Without limits and order everything is one cell, and a claim is one over all queues. Each queue
//! that has a limit or a place makes a lane of its own, each limited task a kind of its own; a cell
//! is what is of one lane and one kind. Cells are claimed from one at a time.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{Paused, QueueSelection, Registry};

use crate::limits::QueueOrder;
use crate::taking::Taking;
use crate::worker::WorkerOptions;

/// How often a cell that had nothing is looked at while others have something; with many cells
/// more seldom, so that looking costs the others little.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many cells are looked at in that time.
const LOOKED_AT: u32 = 8;

/// What one started task costs a queue of weight 1.
const STEP: u64 = 1 << 20;

/// The cells of a worker and whose turn it is.
#[derive(Debug)]
pub(crate) struct Plan {
    order: Order,
    lanes: Vec<Lane>,
    /// The limits of the kinds; the last kind is everything else.
    kinds: Vec<usize>,
    cells: Vec<Cell>,
    turns: u64,
    /// How far the lane was that got something last.
    clock: u64,
    look_again: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Turns,
    Strict,
    Weighted,
}

/// A queue with a limit or a place, or, as the last one, all others.
#[derive(Debug)]
struct Lane {
    limit: usize,
    weight: u32,
    /// What it got so far, divided by its weight.
    passed: u64,
    /// It had less than it could have got.
    is_idle: bool,
}

/// What is of one lane and one kind.
#[derive(Debug)]
struct Cell {
    lane: usize,
    kind: usize,
    taking: Taking,
    /// A claim may bring something.
    may_claim: bool,
    looked: Option<Instant>,
    turn: u64,
    next_due: Option<Duration>,
}

/// A cell to claim from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) cell: usize,
    pub(crate) limit: usize,
}

impl Plan {
    /// For these options, with the tasks that are known.
    pub(crate) fn new(options: &WorkerOptions, registry: &Registry) -> Self {
        let order = match options.queue_order {
            QueueOrder::Priority => Order::Turns,
            QueueOrder::Strict(_) => Order::Strict,
            QueueOrder::Weighted(_) => Order::Weighted,
        };
        let (lanes, queues) = lanes(options);
        let (kinds, names) = kinds(options, registry);
        let mut cells = Vec::new();
        for (lane, queues) in queues.iter().enumerate() {
            for (kind, names) in names.iter().enumerate() {
                let taking = Taking::new(queues.clone(), names.clone());
                if !taking.is_empty() {
                    cells.push(Cell {
                        lane,
                        kind,
                        taking,
                        may_claim: true,
                        looked: None,
                        turn: 0,
                        next_due: None,
                    });
                }
            }
        }
        let times = u32::try_from(cells.len()).unwrap_or(u32::MAX).div_ceil(LOOKED_AT);
        Self {
            order,
            lanes,
            kinds,
            cells,
            turns: 0,
            clock: 0,
            look_again: LOOK_AGAIN * times.max(1),
        }
    }

    /// How many cells there are.
    pub(crate) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// From which queues a cell is claimed, and which tasks.
    pub(crate) fn taking(&self, cell: usize) -> (QueueSelection, Arc<HashSet<String>>) {
        let taking = &self.cells[cell].taking;
        (taking.queues(), taking.names())
    }

    /// Whether this is what is left out already.
    pub(crate) fn is_without(&self, paused: &Paused) -> bool {
        self.cells.iter().all(|cell| cell.taking.is_without(paused))
    }

    /// Leaves this out, and nothing else.
    pub(crate) fn set_paused(&mut self, paused: &Paused) {
        for cell in &mut self.cells {
            cell.taking.set_paused(paused.clone());
        }
        self.wake();
    }

    /// Every cell may have something now.
    pub(crate) fn wake(&mut self) {
        for cell in &mut self.cells {
            cell.may_claim = true;
        }
    }

    /// Whether a claim may bring something that may start, with so many tasks of each cell here.
    pub(crate) fn may_claim(&self, held: &[usize]) -> bool {
        let room = self.room(held);
        self.cells.iter().any(|cell| cell.may_claim && room.of(cell) > 0)
    }

    /// Where to claim next, where there is room for so many tasks and so many of each cell are here.
    pub(crate) fn choose(&self, most: usize, held: &[usize], now: Instant) -> Option<Choice> {
        if most == 0 || !self.may_claim(held) {
            return None;
        }
        let room = self.room(held);
        let is_stale = |cell: &Cell| {
            cell.looked
                .is_none_or(|looked| now.saturating_duration_since(looked) >= self.look_again)
        };
        let open: Vec<usize> = (0..self.cells.len())
            .filter(|cell| {
                let cell = &self.cells[*cell];
                room.of(cell) > 0 && (cell.may_claim || is_stale(cell))
            })
            .collect();
        let cell = open.iter().copied().min_by_key(|cell| {
            let cell = &self.cells[*cell];
            let first = match self.order {
                Order::Turns => 0,
                Order::Strict => cell.lane as u64,
                Order::Weighted => self.lanes[cell.lane].passed,
            };
            (first, cell.turn)
        })?;
        let share = match self.order {
            Order::Weighted => self.share(cell, most, &open),
            Order::Turns | Order::Strict => most,
        };
        Some(Choice {
            cell,
            limit: share.min(room.of(&self.cells[cell])),
        })
    }

    /// The part of this room that the cell's lane may have beside the others that want some.
    fn share(&self, cell: usize, most: usize, open: &[usize]) -> usize {
        let lanes: BTreeSet<usize> = open.iter().map(|cell| self.cells[*cell].lane).collect();
        let all: u64 = lanes.iter().map(|lane| u64::from(self.lanes[*lane].weight)).sum();
        let own = u64::from(self.lanes[self.cells[cell].lane].weight);
        let share = (most as u64).saturating_mul(own).div_ceil(all);
        usize::try_from(share).unwrap_or(most)
    }

    /// This cell is asked now.
    pub(crate) fn asked(&mut self, cell: usize) {
        self.turns += 1;
        self.cells[cell].turn = self.turns;
    }

    /// A claim of so many brought so many.
    pub(crate) fn brought(&mut self, choice: Choice, tasks: usize, next_due: Option<Duration>, now: Instant) {
        let cell = &mut self.cells[choice.cell];
        // Fewer than asked for: there is no more until something says otherwise.
        cell.may_claim = tasks >= choice.limit;
        cell.looked = Some(now);
        cell.next_due = next_due;
        let lane = &mut self.lanes[cell.lane];
        if lane.is_idle {
            // What it did not need before it does not get now.
            lane.passed = lane.passed.max(self.clock);
        }
        lane.is_idle = !cell.may_claim;
        if tasks > 0 {
            self.clock = self.clock.max(lane.passed);
            lane.passed += (tasks as u64).saturating_mul(STEP) / u64::from(lane.weight);
        }
    }

    /// In how long the next scheduled task is due, as far as the store said.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.cells.iter().filter_map(|cell| cell.next_due).min()
    }

    /// What the limits leave with so many tasks of each cell here.
    fn room(&self, held: &[usize]) -> Room {
        let mut room = Room {
            lanes: self.lanes.iter().map(|lane| lane.limit).collect(),
            kinds: self.kinds.clone(),
        };
        for (cell, held) in self.cells.iter().zip(held) {
            room.lanes[cell.lane] = room.lanes[cell.lane].saturating_sub(*held);
            room.kinds[cell.kind] = room.kinds[cell.kind].saturating_sub(*held);
        }
        room
    }
}

/// What the limits leave.
struct Room {
    lanes: Vec<usize>,
    kinds: Vec<usize>,
}

impl Room {
    /// For a cell; nothing where all of it is paused.
    fn of(&self, cell: &Cell) -> usize {
        if cell.taking.is_empty() {
            return 0;
        }
        self.lanes[cell.lane].min(self.kinds[cell.kind])
    }
}

/// The lanes in their order, and the queues of each.
fn lanes(options: &WorkerOptions) -> (Vec<Lane>, Vec<QueueSelection>) {
    let mut named = options.queue_order.named();
    let limited = options.limits.queues.keys();
    for queue in limited {
        if !named.iter().any(|(name, _)| name == queue) {
            named.push((queue, 1));
        }
    }
    let mut rest = options.queues.clone();
    let (mut lanes, mut queues) = (Vec::new(), Vec::new());
    for (queue, weight) in named {
        let limit = options.limits.queues.get(queue);
        lanes.push(Lane::new(limit.copied().unwrap_or(usize::MAX), weight));
        queues.push(QueueSelection {
            only: Some([queue.to_owned()].into()),
            except: BTreeSet::new(),
        });
        match &mut rest.only {
            Some(only) => {
                only.remove(queue);
            }
            None => {
                rest.except.insert(queue.to_owned());
            }
        }
    }
    lanes.push(Lane::new(usize::MAX, 1));
    queues.push(rest);
    (lanes, queues)
}

impl Lane {
    fn new(limit: usize, weight: u32) -> Self {
        Self {
            limit,
            weight,
            passed: 0,
            is_idle: false,
        }
    }
}

/// The limits of the kinds, and the names of each.
fn kinds(options: &WorkerOptions, registry: &Registry) -> (Vec<usize>, Vec<Arc<HashSet<String>>>) {
    let mut rest = registry.names();
    let (mut kinds, mut names) = (Vec::new(), Vec::new());
    for (task, limit) in &options.limits.tasks {
        let name = registry.find(task).map(task_core::TaskEntry::name);
        let is_of_it = |other: &String| registry.find(other).map(task_core::TaskEntry::name) == name;
        let (own, others): (HashSet<String>, HashSet<String>) = rest.into_iter().partition(is_of_it);
        rest = others;
        kinds.push(*limit);
        names.push(Arc::new(own));
    }
    kinds.push(usize::MAX);
    names.push(Arc::new(rest));
    (kinds, names)
}

#[cfg(test)]
mod tests;
