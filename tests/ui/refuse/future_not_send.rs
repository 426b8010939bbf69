use std::rc::Rc;

use task_core::task;

#[task]
pub async fn greet(name: String) -> String {
    let name = Rc::new(name);
    std::future::ready(()).await;
    name.to_string()
}

fn main() {
    drop(greet::enqueue("Ada"));
}
