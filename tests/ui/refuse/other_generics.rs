use task_core::task;

#[task]
pub async fn fill<const N: usize>(bytes: [u8; N]) -> usize {
    bytes.len()
}

#[task]
pub async fn greet<Name>(name: Name) -> String
where
    Name: Into<String>,
{
    name.into()
}

#[task]
pub async fn meet<'a, T: Clone>(name: &'a str, other: T) {
    drop((name, other));
}

fn main() {
    drop(fill::enqueue([1, 2, 3]));
    drop(greet::enqueue("Ada"));
}
