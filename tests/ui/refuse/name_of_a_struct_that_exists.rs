use task_core::task;

pub struct greet {
    pub name: String,
}

#[task]
pub async fn greet(name: String) -> String {
    name
}

fn main() {
    drop(greet::enqueue("Ada"));
}
