use task_core::task;

#[task]
pub async fn greet(name: String, __version: u32) -> String {
    name.repeat(__version as usize)
}

#[task]
pub async fn __task_run(name: String) -> String {
    name
}

fn main() {
    drop(greet::enqueue("Ada", 3));
}
