use task_core::task;

#[task]
pub async fn greet(name: String) -> String {
    nmae
}

fn main() {
    drop(greet::enqueue("Ada"));
}
