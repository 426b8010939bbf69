//! No name of a task or an argument is taken.

use task_core::{TaskContext, task};

#[task(takes_context)]
async fn context(context: TaskContext, arguments: String, output: u8) -> String {
    format!("{arguments} {output} {}", context.attempt())
}

#[task]
async fn arguments(arguments: u8, name: u8, object: u8, serializer: u8, deserializer: u8, names: u8) -> u8 {
    arguments + name + object + serializer + deserializer + names
}

#[task]
fn run(run: u8, failure: u8, finished: u8, value: u8, error: u8) -> Result<u8, String> {
    Ok(run + failure + finished + value + error)
}

#[task]
async fn new(new: u8, enqueue: u8, calls: u8, id: u8, place_0: u8, place_1: u8) -> u8 {
    new + enqueue + calls + id + place_0 + place_1
}

#[task]
async fn enqueue(task: u8) -> u8 {
    task
}

fn main() {
    drop(context::new("Ada", 1));
    drop(arguments::new(1, 2, 3, 4, 5, 6));
    drop(run::new(1, 2, 3, 4, 5));
    drop(new::new(1, 2, 3, 4, 5, 6));
    drop(enqueue::enqueue(1));
}
