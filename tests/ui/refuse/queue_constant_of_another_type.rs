use task_core::task;

const SPECIAL: &str = "special";

#[task(queue = SPECIAL)]
pub async fn greet(name: String) -> String {
    name
}

fn main() {}
