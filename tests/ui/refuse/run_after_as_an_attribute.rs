use task_core::task;

#[task(run_after = "1h")]
pub async fn greet(name: String) -> String {
    name
}

fn main() {
    drop(greet::enqueue("Ada"));
}
