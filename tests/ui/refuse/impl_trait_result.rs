use task_core::task;

#[task]
pub async fn greet(name: String) -> impl ToString {
    name
}

fn main() {
    drop(greet::enqueue("Ada"));
}
