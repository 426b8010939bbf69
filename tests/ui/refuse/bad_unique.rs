use task_core::task;

#[task(unique = "arg")]
pub async fn misspelt(user: u64) {
    let _ = user;
}

#[task(unique = ["usr", "user", "user"])]
pub async fn no_such_argument(user: u64) {
    let _ = user;
}

#[task(unique = ["user"])]
pub async fn no_argument() {}

#[task(unique = [])]
pub async fn no_field() {}

#[task(unique_until = "started")]
pub async fn until_alone() {}

#[task(unique = "task", unique_until = "startet")]
pub async fn until_misspelt() {}

#[task(unique = "task", unique_until = "ended", unique_for = "10m")]
pub async fn two_times() {}

#[task(unique = "task", unique_for = "soon")]
pub async fn no_time() {}

fn main() {}
