use task_core::task;

#[task(takes_context)]
pub async fn greet(name: String) -> String {
    name
}

#[task(takes_context)]
pub async fn ping() {}

fn main() {
    drop(greet::enqueue("Ada"));
    drop(ping::enqueue());
}
