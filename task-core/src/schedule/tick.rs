//! The task that a tick makes: its identity is that of the tick, whoever enqueues it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{BackendAlias, NewTask, Result, TaskContext, TaskEntry, TaskId, metadata};

/// The metadata that holds the name of the schedule, which is that of the task.
const SCHEDULE: &str = "task.schedule";

/// The metadata that holds the tick.
const TICK: &str = "task.tick";

impl TaskEntry {
    /// For those who run schedules: the task of this tick, with the options it was defined with and no
    /// arguments. Whoever makes it, its id is the same.
    ///
    /// # Errors
    /// As [`TaskCall::prepare`](crate::TaskCall::prepare).
    pub fn at_tick(&self, tick: Timestamp, alias: &BackendAlias) -> Result<NewTask> {
        let arguments = "{}";
        let names = [(SCHEDULE, self.name.to_owned()), (TICK, tick.to_string())];
        let task = NewTask {
            id: TaskId::of_tick(self.name, tick),
            name: self.name.into(),
            queue: self.queue.into(),
            unique: self.unique_call(self.queue, arguments),
            priority: self.priority,
            run_after: None,
            arguments: arguments.into(),
            policy: self.policy,
            metadata: Some(metadata::with_own(self, names)?),
        };
        alias.check_options(&task, self)?;
        Ok(task)
    }
}

impl TaskContext {
    /// The tick of its schedule that this task is for; `None` when somebody enqueued it.
    pub fn tick(&self) -> Option<Timestamp> {
        let names: Map<String, Value> = serde_json::from_str(self.record().metadata.as_deref()?).ok()?;
        names.get(TICK)?.as_str()?.parse().ok()
    }
}
