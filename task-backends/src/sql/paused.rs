//! What no worker takes tasks from.

use std::sync::Arc;

use async_trait::async_trait;
use task_core::{Pausable, Paused, Result};

use super::engine::Engine;
use super::error::corrupt;
use super::script::{Conflict, Insert, Kind};
use super::transaction::{Reader, Transaction, Work};
use super::value::{Row, Value};

const QUEUE: i64 = 1;
const TASK: i64 = 2;

/// All of it: few rows, or none.
pub(crate) const PAUSED: &str = "SELECT kind, name FROM @paused";

pub(crate) struct PauseWork {
    pub(crate) what: Pausable,
    pub(crate) is_paused: bool,
}

#[async_trait]
impl Work for PauseWork {
    type Answer = ();

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let (kind, name) = match &self.what {
            Pausable::Queue(queue) => (QUEUE, queue.as_str()),
            Pausable::Task(task) => (TASK, task.as_str()),
        };
        let values = vec![Value::from(kind), name.into()];
        if self.is_paused {
            let insert = Insert {
                table: "paused",
                columns: &[("kind", Kind::Int), ("name", Kind::Text)],
                constants: Vec::new(),
                conflict: Conflict::Stays("kind"),
            };
            return transaction.insert(&insert, values).await;
        }
        transaction.run("DELETE FROM @paused WHERE kind = ? AND name = ?", values);
        Ok(())
    }
}

/// What is paused.
pub(crate) async fn paused(engine: &Arc<dyn Engine>) -> Result<Paused> {
    read(&Reader::begin(engine).await?.fetch(PAUSED, []).await?)
}

/// What these rows say.
pub(crate) fn read(rows: &[Row]) -> Result<Paused> {
    let mut paused = Paused::default();
    for row in rows {
        let name = row.text("name")?.to_string();
        paused.add(match row.int("kind")? {
            QUEUE => Pausable::Queue(name),
            TASK => Pausable::Task(name),
            other => return Err(corrupt(format!("something paused of the unknown kind {other}"))),
        });
    }
    Ok(paused)
}
