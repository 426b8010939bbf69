use task_core::task;

#[task]
pub async fn add((left, right): (u32, u32), _: String, ref name: String) -> u32 {
    drop(name.clone());
    left + right
}

fn main() {
    drop(add::enqueue((1, 2), "Ada", "Bob"));
}
