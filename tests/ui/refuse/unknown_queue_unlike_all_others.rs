task_core::queues! { default, special }

#[task_core::task(queue = "reports")]
pub async fn greet(name: String) -> String {
    name
}

fn main() {}
