//! The scenario as both sides read it: `scenario.json`.

use serde::Deserialize;
use serde_json::Value;

/// What is enqueued, what is taken, what is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The queues of the backend.
    pub queues: Vec<String>,
    /// Those that the worker takes from.
    pub drained_queues: Vec<String>,
    /// How many seconds after the tasks the worker comes; what is due by then is taken.
    pub drained_after: i64,
    /// What is enqueued, in this order.
    pub tasks: Vec<Step>,
    /// What is enqueued and not accepted.
    pub refused: Vec<Step>,
    /// Results that are asked for, before and after the worker.
    pub look_ups: Vec<LookUp>,
}

/// One call of a task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it is called here.
    pub label: String,
    /// The name of the function.
    pub task: String,
    /// Its arguments by name.
    pub arguments: Value,
    pub priority: Option<i32>,
    pub queue: Option<String>,
    pub backend: Option<String>,
    /// Seconds from now; negative ones are in the past.
    pub run_after: Option<i64>,
}

/// One question for a result.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    pub label: String,
    /// The task whose result it should be.
    pub task: String,
    /// The label of an enqueued task, or an id.
    pub id: String,
}

/// The file that both sides read.
pub const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/django/scenario.json");

/// Reads it.
pub fn scenario() -> Scenario {
    let text = std::fs::read_to_string(FILE).expect("the scenario is there");
    serde_json::from_str(&text).expect("the scenario is written as this type says")
}
