//! Who waits, in the order in which to run.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use task_core::{TaskRecord, Timestamp};

/// Priority, then due time, then arrival.
type Place = (Reverse<i32>, Timestamp, u64);

/// The numbers of tasks that wait.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Those that are due.
    ready: BTreeSet<Place>,
    /// Those that are not, by due time. However many they are, claiming does not read past them.
    scheduled: BTreeSet<(Timestamp, u64)>,
    places: HashMap<u64, Place>,
}

impl Waiting {
    /// Puts a task in line, and says whether it can be claimed now.
    pub(crate) fn add(&mut self, number: u64, record: &TaskRecord, now: Timestamp) -> bool {
        let due = record.run_after.unwrap_or(record.enqueued_at);
        let place = (Reverse(record.priority), due, number);
        self.places.insert(number, place);
        if due > now {
            self.scheduled.insert((due, number));
            return false;
        }
        self.ready.insert(place)
    }

    pub(crate) fn remove(&mut self, number: u64) {
        if let Some(place) = self.places.remove(&number) {
            self.ready.remove(&place);
            self.scheduled.remove(&(place.1, number));
        }
    }

    /// Moves over what has become due.
    pub(crate) fn promote(&mut self, now: Timestamp) {
        while let Some((due, number)) = self.scheduled.first().copied()
            && due <= now
        {
            self.scheduled.pop_first();
            self.ready.extend(self.places.get(&number));
        }
    }

    /// Those that are due, in the order in which to run.
    pub(crate) fn ready(&self) -> impl Iterator<Item = u64> {
        self.ready.iter().map(|(_, _, number)| *number)
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.scheduled.first().map(|(due, _)| *due)
    }
}
