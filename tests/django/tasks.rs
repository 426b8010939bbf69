//! The tasks of the scenario, as `scenario_tasks.py` has them.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};
use task_core::{Registry, TaskContext, task};

/// Calls a generic function with the task of this name, of which there is one in Python as well.
macro_rules! with_task {
    ($name:expr, $work:ident($($argument:expr),*)) => {
        match $name {
            "echo" => $work::<$crate::django::tasks::echo>($($argument),*).await,
            "add" => $work::<$crate::django::tasks::add>($($argument),*).await,
            "any_value" => $work::<$crate::django::tasks::any_value>($($argument),*).await,
            "pair" => $work::<$crate::django::tasks::pair>($($argument),*).await,
            "nothing" => $work::<$crate::django::tasks::nothing>($($argument),*).await,
            "refuse" => $work::<$crate::django::tasks::refuse>($($argument),*).await,
            "refuse_because" => $work::<$crate::django::tasks::refuse_because>($($argument),*).await,
            "give_up" => $work::<$crate::django::tasks::give_up>($($argument),*).await,
            "unstorable" => $work::<$crate::django::tasks::unstorable>($($argument),*).await,
            "introspect" => $work::<$crate::django::tasks::introspect>($($argument),*).await,
            "wait_for_nothing" => $work::<$crate::django::tasks::wait_for_nothing>($($argument),*).await,
            other => panic!("the scenario names a task `{other}`"),
        }
    };
}
pub(crate) use with_task;

/// All of them.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    // One by one, as a program without `worker!` does it.
    registry.add::<echo>().expect("a free name");
    registry.add::<add>().expect("a free name");
    registry.add::<any_value>().expect("a free name");
    registry.add::<pair>().expect("a free name");
    registry.add::<nothing>().expect("a free name");
    registry.add::<refuse>().expect("a free name");
    registry.add::<refuse_because>().expect("a free name");
    registry.add::<give_up>().expect("a free name");
    registry.add::<unstorable>().expect("a free name");
    registry.add::<introspect>().expect("a free name");
    registry.add::<wait_for_nothing>().expect("a free name");
    registry.add::<delete_own_row>().expect("a free name");
    registry
}

#[task]
pub fn echo(text: String) -> String {
    text
}

#[task(priority = 7, queue = "sums")]
pub fn add(left: i64, right: i64) -> i64 {
    left + right
}

#[task]
pub fn any_value(value: Value) -> Value {
    value
}

#[task]
pub fn pair(left: u8, right: String) -> (u8, String) {
    (left, right)
}

#[task]
pub fn nothing() {}

#[task]
pub fn refuse(reason: String) -> Result<(), String> {
    Err(reason)
}

/// An error with a source.
#[derive(Debug)]
pub struct Refusal {
    reason: String,
    cause: std::io::Error,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

#[task]
pub fn refuse_because(reason: String, cause: String) -> Result<(), Refusal> {
    let cause = std::io::Error::other(cause);
    Err(Refusal { reason, cause })
}

#[task]
#[allow(clippy::needless_pass_by_value, reason = "a task owns its arguments")]
pub fn give_up(message: String) {
    panic!("{message}");
}

/// JSON has no keys of two numbers.
#[task]
pub fn unstorable() -> HashMap<(u8, u8), u8> {
    HashMap::from([((1, 2), 3)])
}

/// What a task knows of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Known {
    attempt: u32,
    attempts: u32,
    status: String,
    is_finished: bool,
    workers: usize,
    errors: usize,
}

#[task(takes_context)]
#[allow(clippy::needless_pass_by_value, reason = "a task owns its context")]
pub fn introspect(context: TaskContext) -> Known {
    let record = context.record();
    Known {
        attempt: context.attempt(),
        attempts: record.attempts,
        status: record.status.to_string(),
        is_finished: record.status.is_finished(),
        workers: record.worker_ids.len(),
        errors: record.errors.len(),
    }
}

#[task]
pub async fn wait_for_nothing(text: String) -> String {
    text
}

/// What no application should do.
#[task(takes_context)]
pub async fn delete_own_row(context: TaskContext, file: String) -> Result<(), sqlx::Error> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await?;
    let id = context.task_id();
    let delete = sqlx::query("DELETE FROM task WHERE id = ?").bind(id.as_bytes().as_slice());
    let deleted = delete.execute(&mut connection).await?;
    assert_eq!(deleted.rows_affected(), 1, "it is there while it runs");
    connection.close().await
}
