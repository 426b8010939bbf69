use task_core::task;

#[task(timeout = "30")]
pub async fn without_unit() {}

#[task(timeout = "5 parsecs")]
pub async fn with_another_unit() {}

#[task(timeout = "0s")]
pub async fn without_time() {}

#[task(timeout = 30)]
pub async fn without_quotes() {}

fn main() {}
