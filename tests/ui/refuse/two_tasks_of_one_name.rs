use task_core::task;

#[task]
pub async fn greet(name: String) -> String {
    name
}

mod other {
    #[task_core::task]
    pub async fn greet() {}

    #[task_core::task(name = "billing::charge")]
    pub async fn charge() {}
}

#[task(aliases = ["billing::charge"])]
pub async fn pay() {}

fn main() {
    drop(greet::enqueue("Ada"));
    drop(other::greet::enqueue());
}
