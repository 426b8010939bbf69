use task_core::task;

pub struct Greeter;

impl Greeter {
    #[task]
    pub async fn greet(name: String) -> String {
        name
    }
}

fn main() {
    drop(Greeter::greet("Ada".to_owned()));
}
