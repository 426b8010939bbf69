//! What a signal was sent with, of the tasks one test cares about.

use std::sync::{Arc, Mutex, PoisonError};

use task_core::TaskRecord;
use task_core::signals::{Connection, Signal};

/// Listens to a signal for as long as it lives. Signals are shared by everything in the
/// process, so it keeps only what a test wants to hear.
#[derive(Debug)]
pub struct Heard {
    records: Arc<Mutex<Vec<TaskRecord>>>,
    _connection: Connection,
}

impl Heard {
    /// Listens to `signal` from now on, to tasks that are `wanted`.
    pub fn of(signal: &'static Signal, wanted: impl Fn(&TaskRecord) -> bool + Send + Sync + 'static) -> Self {
        let records = Arc::new(Mutex::new(Vec::new()));
        let kept = records.clone();
        let connection = signal.connect(move |record| {
            if wanted(record) {
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(record.clone());
            }
        });
        Self {
            records,
            _connection: connection,
        }
    }

    /// As [`Heard::of`], for tasks in this queue: a test that invents a queue's name hears
    /// only itself.
    pub fn in_queue(signal: &'static Signal, queue: &str) -> Self {
        let queue = queue.to_owned();
        Self::of(signal, move |record| *record.queue == *queue)
    }

    /// What was heard so far, in order.
    pub fn records(&self) -> Vec<TaskRecord> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
