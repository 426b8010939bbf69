//! The number of each pair of queue and task name, remembered by this process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use task_core::{ClaimRequest, QueueSelection, Result};

use super::error::corrupt;
use super::transaction::{Transaction, Work};

pub(crate) type Pair = (Arc<str>, Arc<str>);

/// The lanes this process has seen committed. Lanes are never deleted.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    known: RwLock<Known>,
    /// As the last claim chose: a worker asks again and again, and there may be thousands.
    divided: Mutex<Option<Arc<Divided>>>,
}

/// The known lanes a worker takes from, and the others.
#[derive(Debug)]
pub(crate) struct Divided {
    queues: QueueSelection,
    names: Arc<HashSet<String>>,
    pub(crate) own: Arc<BTreeMap<i64, Pair>>,
    pub(crate) others: Vec<i64>,
}

impl Divided {
    fn new(request: &ClaimRequest, lanes: impl IntoIterator<Item = (i64, Pair)>) -> Self {
        let (mut own, mut others) = (BTreeMap::new(), Vec::new());
        for (number, (queue, name)) in lanes {
            if request.queues.includes(&queue) && request.names.contains(&*name) {
                own.insert(number, (queue, name));
            } else {
                others.push(number);
            }
        }
        Self {
            queues: request.queues.clone(),
            names: request.names.clone(),
            own: Arc::new(own),
            others,
        }
    }

    fn is_for(&self, request: &ClaimRequest, lanes: usize) -> bool {
        self.own.len() + self.others.len() == lanes
            && Arc::ptr_eq(&self.names, &request.names)
            && self.queues == request.queues
    }

    /// The lanes this worker takes from.
    pub(crate) fn numbers(&self) -> Vec<i64> {
        self.own.keys().copied().collect()
    }
}

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<Pair, i64>,
    /// All up to [`Known::last`], and perhaps some behind it.
    pairs: BTreeMap<i64, Pair>,
    /// Up to here no lane is missing: their numbers become visible in order.
    last: i64,
}

impl Lanes {
    pub(crate) fn find(&self, pair: &Pair) -> Option<i64> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.numbers.get(pair).copied()
    }

    fn add(&self, lanes: impl Iterator<Item = (Pair, i64)>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (pair, number) in lanes {
            known.numbers.insert(pair.clone(), number);
            known.pairs.insert(number, pair);
        }
    }

    /// Up to which number every lane is known.
    pub(crate) fn last(&self) -> i64 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).last
    }

    /// The known lanes that a worker takes from, and the others.
    fn divide(&self, request: &ClaimRequest) -> Arc<Divided> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut divided = self.divided.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(divided) = &*divided
            && divided.is_for(request, known.pairs.len())
        {
            return divided.clone();
        }
        divided
            .insert(Arc::new(Divided::new(request, known.pairs.clone())))
            .clone()
    }
}

/// The lanes as a transaction sees them: those it made itself are remembered only when
/// it commits.
pub(crate) struct FreshLanes {
    lanes: Arc<Lanes>,
    fresh: HashMap<Pair, i64>,
}

impl FreshLanes {
    pub(crate) fn new(lanes: Arc<Lanes>) -> Self {
        Self {
            lanes,
            fresh: HashMap::new(),
        }
    }

    /// What this transaction added may be relied on from now on.
    pub(crate) fn keep(&mut self) {
        if !self.fresh.is_empty() {
            self.lanes.add(self.fresh.drain());
        }
    }

    /// The lanes of this process.
    pub(crate) fn all(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    /// The lanes that a worker takes from, and the others, those among them that this
    /// transaction made.
    pub(crate) fn divide(&self, request: &ClaimRequest) -> Arc<Divided> {
        if self.fresh.is_empty() {
            return self.lanes.divide(request);
        }
        let known = self.lanes.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.pairs.clone().into_iter();
        let fresh = self.fresh.iter().map(|(pair, number)| (*number, pair.clone()));
        Arc::new(Divided::new(request, known.chain(fresh)))
    }

    pub(crate) fn find(&self, pair: &Pair) -> Option<i64> {
        self.lanes.find(pair).or_else(|| self.fresh.get(pair).copied())
    }
}

/// The lanes of these queues and tasks; new ones are made.
pub(crate) async fn lanes(transaction: &mut Transaction<'_>, pairs: &[Pair]) -> Result<Vec<i64>> {
    let mut numbers = Vec::with_capacity(pairs.len());
    let mut is_locked = false;
    for pair in pairs {
        let number = match transaction.lanes.find(pair) {
            Some(number) => number,
            None => {
                if !is_locked {
                    // One maker at a time, so that lanes become visible in the order of
                    // their numbers, and none is missed that appears behind a larger one.
                    let lock = transaction.engine().locking();
                    if !lock.is_empty() {
                        let query = format!("SELECT version FROM @schema_version{lock}");
                        transaction.fetch(&query, []).await?;
                    }
                    is_locked = true;
                }
                find_or_make(transaction, pair).await?
            }
        };
        numbers.push(number);
    }
    Ok(numbers)
}

async fn find_or_make(transaction: &mut Transaction<'_>, pair: &Pair) -> Result<i64> {
    let find = "SELECT id FROM @lane WHERE queue = ? AND name = ?";
    let values = || [pair.0.clone().into(), pair.1.clone().into()];
    let mut rows = transaction.fetch(find, values()).await?;
    if rows.is_empty() {
        transaction.run(
            "INSERT INTO @lane (id, queue, name) SELECT coalesce(max(id), 0) + 1, ?, ? FROM @lane",
            values(),
        );
        rows = transaction.fetch(find, values()).await?;
    }
    let row = rows
        .last()
        .ok_or_else(|| corrupt("a lane that was just written is not there"))?;
    let number = row.int("id")?;
    transaction.lanes.fresh.insert(pair.clone(), number);
    Ok(number)
}

/// Reads the lanes that were made since this process looked. Those this transaction made may
/// never be committed: they are not among them.
pub(crate) async fn read_new(transaction: &mut Transaction<'_>) -> Result<()> {
    let lanes = transaction.lanes.all().clone();
    let rows = transaction
        .fetch(
            "SELECT id, queue, name FROM @lane WHERE id > ? ORDER BY id",
            [lanes.last().into()],
        )
        .await?;
    let mut fresh = Vec::with_capacity(rows.len());
    for row in rows {
        let pair = (row.text("queue")?, row.text("name")?);
        if !transaction.lanes.fresh.contains_key(&pair) {
            fresh.push((pair, row.int("id")?));
        }
    }
    let last = fresh.last().map(|(_, number)| *number);
    lanes.add(fresh.into_iter());
    if let Some(last) = last {
        let mut known = lanes.known.write().unwrap_or_else(PoisonError::into_inner);
        known.last = known.last.max(last);
    }
    Ok(())
}

/// Makes lanes in a transaction of their own.
pub(crate) struct LanesWork(pub(crate) Vec<Pair>);

#[async_trait]
impl Work for LanesWork {
    type Answer = ();

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        lanes(transaction, &self.0).await.map(drop)
    }
}
