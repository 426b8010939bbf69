use std::borrow::Cow;

use task_core::task;

#[task]
pub async fn names() -> Vec<&'static str> {
    vec!["Ada"]
}

#[task]
pub async fn name() -> Result<&'static str, std::io::Error> {
    Ok("Ada")
}

#[task]
pub async fn lines() -> Vec<Cow<'_, str>> {
    Vec::new()
}

fn main() {
    drop(names::enqueue());
    drop(name::enqueue());
}
