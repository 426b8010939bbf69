use std::rc::Rc;

use task_core::task;

#[task]
pub async fn pointer(address: *const u8) {
    drop(address);
}

#[task]
pub async fn function(callback: Box<dyn Fn() + Send>) {
    callback();
}

#[task]
pub async fn function_pointer(callback: fn(u8)) {
    callback(1);
}

#[task]
pub async fn shared(name: Rc<String>) {
    drop(name);
}

fn main() {}
