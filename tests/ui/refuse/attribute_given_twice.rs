use task_core::task;

#[task(priority = 10, queue = "special", priority = 20)]
pub async fn greet(name: String) -> String {
    name
}

fn main() {}
