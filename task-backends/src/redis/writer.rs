//! Storing new tasks: callers that come while one call is under way share the next one.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use task_core::{Error, ErrorKind, NewTask, Result, TaskId, TaskRecord, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::enqueue::Enqueuer;
use super::link::Link;
use super::watch::Watch;

/// How many tasks go into one call; a caller with more gets a call of its own.
const GROUP_TASKS: usize = 1000;
/// How many bytes of arguments.
const GROUP_BYTES: usize = 4 << 20;
/// How many callers may wait.
const WAITING: usize = 10_000;

/// One caller's tasks and where the answer goes.
pub(crate) struct Caller {
    pub(crate) tasks: Vec<NewTask>,
    reply: oneshot::Sender<Result<Vec<Stored>>>,
}

/// What became of a caller's tasks: when they were accepted, and by place who holds the key of each that was
/// not stored.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) now: Timestamp,
    pub(crate) held_by: BTreeMap<usize, TaskId>,
}

/// What became of one task.
pub(crate) enum Stored {
    New(TaskRecord),
    /// This one holds its key; besides, what it would have been.
    HeldBy(TaskId, TaskRecord),
}

impl Caller {
    pub(crate) fn answer(self, accepted: Result<Accepted>) {
        let stored = accepted.map(|accepted| {
            let records = self.tasks.into_iter().map(|task| task.accepted(accepted.now));
            let stored = |(place, record)| match accepted.held_by.get(&place) {
                Some(holder) => Stored::HeldBy(*holder, record),
                None => Stored::New(record),
            };
            records.enumerate().map(stored).collect()
        });
        let _ = self.reply.send(stored);
    }
}

/// Hands tasks to the one who stores them.
pub(crate) struct Writer {
    callers: Mutex<Option<mpsc::Sender<Caller>>>,
    ended: tokio::sync::watch::Receiver<bool>,
}

impl Writer {
    pub(crate) fn start(link: Arc<Link>, watch: Watch) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (ending, ended) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            write(receiver, Enqueuer::new(link), watch).await;
            let _ = ending.send(true);
        });
        Self {
            callers: Mutex::new(Some(sender)),
            ended,
        }
    }

    pub(crate) async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<Stored>> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let callers = self
            .callers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let (reply, answer) = oneshot::channel();
        let callers = callers.ok_or_else(closed)?;
        callers
            .send(Caller { tasks, reply })
            .await
            .map_err(|_| closed())?;
        drop(callers);
        answer.await.map_err(|_| closed())?
    }

    /// Stores what was handed in and takes nothing more.
    pub(crate) async fn close(&self) {
        drop(self.callers.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::State, "the store is closed")
}

/// An id that stands twice, or that is stored already.
pub(crate) fn is_taken() -> Error {
    Error::new(ErrorKind::State, "a task with this id is enqueued already")
}

async fn write(mut callers: mpsc::Receiver<Caller>, mut enqueuer: Enqueuer, watch: Watch) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(caller) => caller,
            None => match callers.recv().await {
                Some(caller) => caller,
                None => return,
            },
        };
        let mut group = Group::default();
        let mut candidate = Some(first);
        while let Some(caller) = candidate {
            if let Some(caller) = group.add(caller) {
                next = Some(caller);
                break;
            }
            candidate = callers.try_recv().ok();
        }
        if group.callers.is_empty() {
            continue;
        }
        let is_stored = enqueuer.store(group.callers).await;
        if is_stored {
            watch.happened(true);
        }
    }
}

/// Callers whose tasks are stored together.
#[derive(Default)]
struct Group {
    callers: Vec<Caller>,
    ids: HashSet<[u8; 16]>,
    bytes: usize,
}

impl Group {
    /// Adds a caller, or gives it back when it has to wait for the next group.
    fn add(&mut self, caller: Caller) -> Option<Caller> {
        let bytes: usize = caller.tasks.iter().map(|task| task.arguments.len() + 100).sum();
        if !self.callers.is_empty()
            && (self.ids.len() + caller.tasks.len() > GROUP_TASKS || self.bytes + bytes > GROUP_BYTES)
        {
            return Some(caller);
        }
        let own: HashSet<[u8; 16]> = caller.tasks.iter().map(|task| *task.id.as_bytes()).collect();
        if own.len() < caller.tasks.len() {
            caller.answer(Err(is_taken()));
            return None;
        }
        if !own.is_disjoint(&self.ids) {
            // Whichever is stored first decides about the other.
            return Some(caller);
        }
        self.ids.extend(own);
        self.bytes += bytes;
        self.callers.push(caller);
        None
    }
}
