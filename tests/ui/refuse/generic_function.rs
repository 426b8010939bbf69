use task_core::task;

#[task]
pub async fn greet<T: ToString>(name: T, times: u32) -> Vec<T> {
    drop((name, times));
    Vec::new()
}

#[task]
pub async fn meet<'a>(name: &'a str) -> String {
    name.to_owned()
}

#[task]
pub async fn part(name: String)
where
    String: Clone,
{
    drop(name);
}

fn main() {
    drop(greet::enqueue("Ada", 3));
    drop(meet::enqueue("Ada"));
    drop(part::enqueue("Ada"));
}
