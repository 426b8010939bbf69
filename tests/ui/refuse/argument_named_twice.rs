use task_core::task;

#[task]
pub async fn greet(name: String, name: u32) -> String {
    name
}

fn main() {
    drop(greet::enqueue("Ada", 3));
}
