use task_core::task;

#[task]
pub async fn names() -> Vec<&'static str> {
    vec!["Ada"]
}

#[task]
pub async fn name() -> Result<&'static str, std::io::Error> {
    Ok("Ada")
}

fn main() {
    drop(names::enqueue());
    drop(name::enqueue());
}
