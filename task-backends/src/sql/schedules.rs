//! Up to which tick the tasks of schedules are enqueued.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use task_core::{Result, Timestamp};

use super::error::corrupt;
use super::record::timestamp;
use super::script::{Conflict, Insert, Kind};
use super::transaction::{Transaction, Work};
use super::value::Value;

/// Makes a schedule known.
fn insert() -> Insert {
    Insert {
        table: "schedule",
        columns: &[("name", Kind::Text), ("last_tick", Kind::Int)],
        constants: Vec::new(),
        conflict: Conflict::Stays("name"),
    }
}

pub(crate) struct LastTicksWork(pub(crate) Vec<Arc<str>>);

#[async_trait]
impl Work for LastTicksWork {
    type Answer = Vec<Timestamp>;

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Vec<Timestamp>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let now = transaction.now().await?;
        // In the order of the names, so that two of these do not wait for each other in a circle.
        let mut names = self.0.clone();
        names.sort();
        names.dedup();
        let rows = names.into_iter().flat_map(|name| [Value::Text(name), now.into()]);
        transaction.insert(&insert(), rows.collect()).await?;
        let mut known = HashMap::new();
        for row in transaction
            .fetch("SELECT name, last_tick FROM @schedule", [])
            .await?
        {
            known.insert(row.text("name")?, row.int("last_tick")?);
        }
        let last = |name: &Arc<str>| {
            let tick = known.get(&**name).copied();
            timestamp(tick.ok_or_else(|| corrupt("a schedule that was just written is not there"))?)
        };
        self.0.iter().map(last).collect()
    }
}

pub(crate) struct TickedWork {
    pub(crate) schedule: Arc<str>,
    pub(crate) tick: Timestamp,
}

#[async_trait]
impl Work for TickedWork {
    type Answer = ();

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let tick = self.tick.as_microsecond();
        let row = vec![Value::Text(self.schedule.clone()), tick.into()];
        transaction.insert(&insert(), row).await?;
        transaction.run(
            "UPDATE @schedule SET last_tick = ? WHERE name = ? AND last_tick < ?",
            [tick.into(), Value::Text(self.schedule.clone()), tick.into()],
        );
        Ok(())
    }
}
