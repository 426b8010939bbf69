use task_core::task;

#[derive(serde::Serialize, serde::Deserialize)]
struct Greeting(String);

#[task]
pub async fn greet(name: String) -> Greeting {
    Greeting(name)
}

fn main() {}
