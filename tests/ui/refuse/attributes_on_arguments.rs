use task_core::task;

#[task]
pub async fn greet(#[serde(rename = "n")] name: String, #[default] times: u32) -> String {
    name.repeat(times as usize)
}

#[task]
pub async fn meet(#[cfg_attr(all(), task(default))] name: String) -> String {
    name
}

fn main() {
    drop(greet::enqueue("Ada", 3));
}
