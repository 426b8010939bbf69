use task_core::{TaskContext, task};

#[task]
pub async fn pay(#[task(alias = "price", alias = "cost")] sum: u32, price: u32) -> u32 {
    sum + price
}

#[task]
pub async fn send(
    #[task(alias = ["to", "to"], default)] recipient: String,
    #[task(alias = "subject")] subject: String,
    #[task(alias = recipient)] from: String,
    #[task(alias = "")] text: String,
    #[task(alias)] copy: bool,
    #[task(alias = ["a", 5])] number: u32,
) -> String {
    format!("{recipient}{subject}{from}{text}{copy}{number}")
}

#[task(takes_context)]
pub async fn meet(#[task(alias = "ctx")] context: TaskContext) {
    drop(context);
}

fn main() {
    drop(pay::enqueue(1, 2));
}
