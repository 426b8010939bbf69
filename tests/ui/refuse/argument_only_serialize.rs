use serde::{Deserialize, Serialize};
use task_core::task;

#[derive(Serialize)]
pub struct Written(u8);

#[derive(Deserialize)]
pub struct Read(u8);

#[task]
pub async fn write(order: Written) {
    drop(order.0);
}

#[task]
pub async fn read(order: Read) {
    drop(order.0);
}

fn main() {
    drop(write::enqueue(Written(1)));
}
