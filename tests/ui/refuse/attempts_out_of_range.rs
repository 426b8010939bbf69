use task_core::task;

#[task(max_attempts = 0)]
pub async fn never() {}

#[task(max_attempts = 1_000_001)]
pub async fn always() {}

fn main() {}
