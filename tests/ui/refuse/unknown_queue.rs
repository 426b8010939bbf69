use task_core::task;

task_core::queues! { default, special }

#[task(queue = "specail")]
pub async fn greet(name: String) -> String {
    name
}

fn main() {
    drop(greet::enqueue("Ada"));
}
