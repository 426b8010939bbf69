use std::rc::Rc;

use task_core::task;

#[task]
pub async fn greet(name: Rc<String>) -> String {
    name.to_string()
}

fn main() {}
