use task_core::task;

#[task(priorty = 10)]
pub async fn greet(name: String) -> String {
    name
}

#[task(colour = "blue")]
pub async fn paint() {}

fn main() {
    drop(greet::enqueue("Ada"));
    drop(paint::enqueue());
}
