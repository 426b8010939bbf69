use task_core::{TaskContext, task};

#[task]
pub async fn greet(#[task(defualt)] name: String, #[task] title: String) -> String {
    name + &title
}

#[task(takes_context)]
pub async fn meet(#[task(default)] context: TaskContext) {
    drop(context);
}

fn main() {
    drop(greet::enqueue("Ada", "Countess"));
}
