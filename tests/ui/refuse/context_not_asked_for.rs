use task_core::{TaskContext, task};

#[task]
pub async fn greet(context: TaskContext, name: String) -> String {
    format!("{name}, attempt {}", context.attempt())
}

fn main() {
    drop(greet::enqueue("Ada"));
}
