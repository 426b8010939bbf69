use task_core::{TaskContext, task};

#[task(takes_context)]
pub async fn greet(context: TaskContext, name: String, other: TaskContext) -> String {
    format!("{name}, attempt {} and {}", context.attempt(), other.attempt())
}

fn main() {
    drop(greet::enqueue("Ada"));
}
