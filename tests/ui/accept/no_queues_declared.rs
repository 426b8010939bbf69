//! Without `queues!`, any name is accepted here and looked at when a task is enqueued.

#[task_core::task(queue = "whatever comes")]
pub async fn greet(name: String) -> String {
    name
}

fn main() {
    drop(greet::enqueue("Ada"));
}
