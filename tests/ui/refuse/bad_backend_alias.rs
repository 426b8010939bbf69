use task_core::task;

#[task(backend = "")]
pub async fn empty() {}

#[task(backend = "two words")]
pub async fn blank() {}

#[task(backend = "reports.eu")]
pub async fn dot() {}

#[task(backend = "größe")]
pub async fn other_letters() {}

#[task(backend = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")]
pub async fn too_long() {}

#[task(backend = reports)]
pub async fn without_quotes() {}

fn main() {}
