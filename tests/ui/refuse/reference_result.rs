use task_core::task;

#[task]
pub async fn greet(name: String) -> &'static str {
    drop(name);
    "hello"
}

fn main() {
    drop(greet::enqueue("Ada"));
}
