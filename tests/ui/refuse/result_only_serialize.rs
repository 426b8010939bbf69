use serde::{Deserialize, Serialize};
use task_core::task;

#[derive(Serialize)]
pub struct Written(u8);

#[derive(Deserialize)]
pub struct Read(u8);

#[task]
pub async fn write() -> Written {
    Written(1)
}

#[task]
pub async fn read() -> Result<Read, std::io::Error> {
    Ok(Read(1))
}

fn main() {
    drop(write::enqueue());
}
