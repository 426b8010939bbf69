use task_core::task;

#[task(priority = 101)]
pub async fn too_high() {}

#[task(priority = -101)]
pub async fn too_low() {}

fn main() {}
