use task_core::task;

pub struct Greeting(pub String);

#[task]
pub async fn greet(name: String) -> Greeting {
    Greeting(name)
}

#[task]
pub async fn try_to_greet(name: String) -> Result<Greeting, std::io::Error> {
    Ok(Greeting(name))
}

fn main() {
    drop(greet::enqueue("Ada"));
}
