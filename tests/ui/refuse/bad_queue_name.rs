use task_core::task;

#[task(queue = "")]
pub async fn empty() {}

#[task(queue = " special")]
pub async fn blank() {}

#[task(queue = "spe\tcial")]
pub async fn control_character() {}

#[task(queue = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq")]
pub async fn too_long() {}

#[task(queue = 5)]
pub async fn a_number() {}

#[task(queue = ["special"])]
pub async fn a_list() {}

fn main() {}
