use task_core::task;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Order(u8);

#[task]
pub async fn ship(#[task(default)] order: Order) {
    drop(order.0);
}

fn main() {
    drop(ship::enqueue(Order(1)));
}
