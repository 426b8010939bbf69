use task_core::task;

#[task(timeout = "30 seconds")]
pub async fn spelt_out() {}

#[task(timeout = "5min")]
pub async fn abbreviated() {}

#[task(timeout = "30S")]
pub async fn upper_case() {}

#[task(timeout = "2w")]
pub async fn weeks() {}

#[task(timeout = "1.5h")]
pub async fn fraction() {}

#[task(timeout = "-3s")]
pub async fn negative() {}

#[task(timeout = "99999999999999999999s")]
pub async fn overflow() {}

#[task(timeout = "3651d")]
pub async fn too_long() {}

#[task(timeout = "")]
pub async fn empty() {}

#[task(timeout = 1.5)]
pub async fn a_number() {}

fn main() {}
