use task_core::task;

#[task(priority 10)]
pub async fn without_equals() {}

#[task(priority: 10)]
pub async fn with_a_colon() {}

#[task("special")]
pub async fn without_a_key() {}

#[task(priority = 10 queue = "special")]
pub async fn without_a_comma() {}

#[task(priority(10))]
pub async fn in_brackets() {}

fn main() {
    drop(without_equals::enqueue());
}
