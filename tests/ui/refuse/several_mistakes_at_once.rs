use task_core::task;

#[task(priority = 1000, qeue = "special", takes_context, timeout = "soon")]
pub async unsafe fn greet(name: &str, (first, second): (u8, u8)) -> impl ToString {
    drop((first, second));
    name.to_owned()
}

fn main() {
    drop(greet::enqueue("Ada", (1, 2)));
    drop(greet::enqueue_many([greet::new("Ada", (1, 2))]));
}
