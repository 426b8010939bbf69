//! The number of each pair of queue and task name, remembered by this process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::Row as _;
use task_core::Result;

use super::error::{corrupt, from_sqlx};
use super::writer::Transaction;

type Pair = (String, String);

/// The lanes this process has seen committed. Lanes are never deleted.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    numbers: RwLock<HashMap<Pair, i64>>,
}

impl Lanes {
    fn find(&self, pair: &Pair) -> Option<i64> {
        self.numbers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(pair)
            .copied()
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
            self.lanes
                .numbers
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(self.fresh.drain());
        }
    }
}

/// The lane of this queue and task, made if it is new.
pub(crate) async fn lane(transaction: &mut Transaction<'_>, queue: &str, name: &str) -> Result<i64> {
    let pair = (queue.to_owned(), name.to_owned());
    let known = transaction
        .lanes
        .lanes
        .find(&pair)
        .or_else(|| transaction.lanes.fresh.get(&pair).copied());
    if let Some(number) = known {
        return Ok(number);
    }
    transaction.run(
        "INSERT INTO lane (queue, name) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [queue.into(), name.into()],
    );
    let rows = transaction
        .fetch(
            "SELECT id FROM lane WHERE queue = ? AND name = ?",
            [queue.into(), name.into()],
        )
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| corrupt("a lane that was just written is not there"))?;
    let number: i64 = row.try_get(0).map_err(from_sqlx)?;
    transaction.lanes.fresh.insert(pair, number);
    Ok(number)
}
