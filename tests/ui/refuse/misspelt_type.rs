use task_core::task;

#[task]
pub async fn greet(name: Strng, times: u32) -> Vec<Strng> {
    drop(times);
    vec![name]
}

fn main() {}
