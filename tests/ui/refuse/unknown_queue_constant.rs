use task_core::task;

task_core::queues! { default, special }

#[task(queue = queues::SPECAIL)]
pub async fn greet(name: String) -> String {
    name
}

fn main() {}
