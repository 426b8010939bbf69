use task_core::task;

#[task]
pub async fn greet(name: String, name: String) -> String {
    name
}

fn main() {}
