use task_core::task;

pub struct GreetError;

#[task]
pub async fn greet(name: String) -> Result<String, GreetError> {
    Ok(name)
}

fn main() {
    drop(greet::enqueue("Ada"));
}
