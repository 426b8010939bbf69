use task_core::task;

#[task(backoff = "exponentiel 1s..10m")]
pub async fn misspelt() {}

#[task(backoff = "exponential 1s")]
pub async fn without_a_limit() {}

#[task(backoff = "linear 10m..1s")]
pub async fn backwards() {}

#[task(backoff = 30)]
pub async fn without_quotes() {}

fn main() {}
