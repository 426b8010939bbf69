use task_core::task;

#[task(max_lost = -1)]
pub async fn negative() {}

#[task(max_lost = 1000001)]
pub async fn too_many() {}

#[task(max_lost = "3")]
pub async fn quoted() {}

fn main() {}
