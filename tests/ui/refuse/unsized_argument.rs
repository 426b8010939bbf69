use task_core::task;

#[task]
pub fn text(name: str) {
    drop(name.len());
}

#[task]
pub fn bytes(content: [u8]) {
    drop(content.len());
}

fn main() {}
