use task_core::task;

#[task]
pub async fn forever() -> ! {
    loop {}
}

fn main() {
    drop(forever::enqueue());
}
