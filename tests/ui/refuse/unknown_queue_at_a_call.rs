use task_core::{queue, task};

task_core::queues! { default, special }

#[task]
pub async fn greet(name: String) -> String {
    name
}

fn main() {
    drop(greet::new("Ada").using(queue(queues::SPECAIL)).enqueue());
}
