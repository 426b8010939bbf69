use task_core::task;

#[task]
pub async fn greet(name: _, times: u32) -> Vec<_> {
    vec![name; times as usize]
}

fn main() {
    drop(greet::enqueue("Ada", 3));
}
