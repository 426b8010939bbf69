use task_core::task;

#[task]
pub async fn text(name: str) {
    drop(name.len());
}

fn main() {}
