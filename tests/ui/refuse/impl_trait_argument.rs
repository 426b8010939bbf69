use task_core::task;

#[task]
pub async fn greet(name: impl Into<String>, times: u32) -> String {
    drop(times);
    name.into()
}

fn main() {
    drop(greet::enqueue("Ada", 3));
}
