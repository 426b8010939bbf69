use task_core::task;

#[task]
pub async fn greet(name: String, times: u32) -> String {
    name.repeat(times as usize)
}

fn main() {
    drop(greet::enqueue("Ada", "3"));
    drop(greet::enqueue("Ada"));
}
