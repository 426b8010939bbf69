use task_core::task;

#[task(priority = 1.5)]
pub async fn fraction() {}

#[task(priority = "10")]
pub async fn text() {}

#[task(priority = 99999999999999999999)]
pub async fn overflow() {}

#[task(priority = 5 + 5)]
pub async fn sum() {}

#[task(priority = )]
pub async fn nothing() {}

#[task(priority = true)]
pub async fn truth() {}

fn main() {}
