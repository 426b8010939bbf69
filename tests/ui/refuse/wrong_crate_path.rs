use task_core::{TaskContext, task};

#[task(crate = my_tsk_core, queue = "special", takes_context)]
pub async fn greet(context: TaskContext, name: String, times: Option<u32>) -> Result<String, std::io::Error> {
    Ok(format!("{name} {times:?} {}", context.attempt()))
}

#[task(crate = "task_core")]
pub async fn meet(name: String) {
    drop(name);
}

fn main() {
    drop(greet::enqueue("Ada", 3));
    drop(meet::enqueue("Ada"));
}
