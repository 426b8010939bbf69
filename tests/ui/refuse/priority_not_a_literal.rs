use task_core::task;

const HIGH: i32 = 50;

#[task(priority = HIGH)]
pub async fn greet(name: String) -> String {
    name
}

#[task(priority)]
pub async fn paint() {}

fn main() {}
