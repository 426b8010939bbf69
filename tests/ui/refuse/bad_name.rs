use task_core::task;

#[task(name = "")]
pub async fn empty() {}

#[task(name = "billing charge")]
pub async fn blank() {}

#[task(name = billing::charge)]
pub async fn no_text() {}

#[task(name = "billing::charge", aliases = ["billing::pay", "billing::charge", "", "billing::pay"])]
pub async fn repeated() {}

#[task(backend = "")]
pub async fn nowhere() {}

fn main() {}
