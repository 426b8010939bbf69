use task_core::task;

#[task(priority = 10)]
#[task(queue = "special")]
pub async fn greet(name: String) -> String {
    name
}

fn main() {}
