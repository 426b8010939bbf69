use task_core::task;

pub struct Connection;

#[task]
pub async fn greet(connection: Connection, name: String) -> String {
    drop(connection);
    name
}

fn main() {
    drop(greet::enqueue(Connection, "Ada"));
}
