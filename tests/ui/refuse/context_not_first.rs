use task_core::{TaskContext, task};

#[task(takes_context)]
pub async fn greet(name: String, context: TaskContext) -> String {
    format!("{name}, attempt {}", context.attempt())
}

#[task]
pub async fn meet(name: String, context: TaskContext) -> String {
    format!("{name}, attempt {}", context.attempt())
}

#[task(takes_context)]
pub async fn part(context: TaskContext, other: TaskContext) {
    drop((context, other));
}

fn main() {}
