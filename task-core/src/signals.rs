//! Notices inside this process: a task was enqueued, started, finished.
//!
//! Signals do not cross processes: `task_started` is sent where the task runs, `task_finished`
//! where it is ended. A receiver cannot change what happens: it gets the record to read,
//! its panic is logged and swallowed.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::TaskRecord;

type Receiver = Arc<dyn Fn(&TaskRecord) + Send + Sync>;

/// One kind of notice and those who want it.
pub struct Signal {
    name: &'static str,
    receivers: RwLock<Vec<(u64, Receiver)>>,
    count: AtomicUsize,
}

/// Keeps a receiver connected; dropping it disconnects.
#[must_use = "the receiver is disconnected when this is dropped; `forget` keeps it"]
pub struct Connection {
    signal: &'static Signal,
    number: u64,
}

/// A task was stored. On a transaction of the caller's it is sent before the commit.
pub static TASK_ENQUEUED: Signal = Signal::new("task_enqueued");

/// An attempt begins, in this process.
pub static TASK_STARTED: Signal = Signal::new("task_started");

/// A task reached its final state through this process, and the store has it: it ran here, was
/// canceled here before it ran, or was taken from a lost worker and may not run again.
pub static TASK_FINISHED: Signal = Signal::new("task_finished");

impl Signal {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            receivers: RwLock::new(Vec::new()),
            count: AtomicUsize::new(0),
        }
    }

    /// Calls `receiver` with each record from now on, on the thread that sends. It must
    /// be quick and must not block.
    pub fn connect(&'static self, receiver: impl Fn(&TaskRecord) + Send + Sync + 'static) -> Connection {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let mut receivers = self.receivers.write().unwrap_or_else(PoisonError::into_inner);
        receivers.push((number, Arc::new(receiver)));
        self.count.store(receivers.len(), Ordering::Release);
        Connection { signal: self, number }
    }

    /// Whether anybody listens: senders need not build a record otherwise.
    pub fn is_connected(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Tells every receiver. For backends and workers.
    pub fn send(&self, record: &TaskRecord) {
        if !self.is_connected() {
            return;
        }
        // Called outside the lock, so that a receiver may connect and disconnect.
        let receivers = self
            .receivers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (_, receiver) in receivers {
            if std::panic::catch_unwind(AssertUnwindSafe(|| receiver(record))).is_err() {
                tracing::error!(signal = self.name, task = %record.id, "a signal receiver panicked");
            }
        }
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signal({})", self.name)
    }
}

impl Connection {
    /// Keeps the receiver for as long as the process lives.
    pub fn forget(mut self) {
        self.number = u64::MAX;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut receivers = self
            .signal
            .receivers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        receivers.retain(|(number, _)| *number != self.number);
        self.signal.count.store(receivers.len(), Ordering::Release);
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.signal.name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::TaskContext;

    #[test]
    fn a_receiver_hears_until_it_disconnects_and_its_panic_stops_nobody() {
        static SIGNAL: Signal = Signal::new("test");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = TaskContext::detached("task").record().clone();

        let panicking = SIGNAL.connect(|_| panic!("a receiver's own trouble"));
        let listening = SIGNAL.connect({
            let heard = heard.clone();
            move |record| heard.lock().expect("unpoisoned").push(record.id)
        });
        SIGNAL.send(&record);
        assert_eq!(*heard.lock().expect("unpoisoned"), [record.id]);

        drop((panicking, listening));
        assert!(!SIGNAL.is_connected());
        SIGNAL.send(&record);
        assert_eq!(heard.lock().expect("unpoisoned").len(), 1);
    }
}
