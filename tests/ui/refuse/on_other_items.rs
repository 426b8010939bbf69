use task_core::task;

#[task]
pub mod tasks {
    pub async fn greet() {}
}

#[task]
pub static GREETING: &str = "hello";

#[task]
pub const TIMES: u32 = 3;

#[task]
pub enum Title {
    Countess,
}

#[task]
pub type Name = String;

#[task]
pub use std::collections::BTreeMap;

#[task]
thread_local! {
    pub static LOCAL: u8 = 1;
}

fn main() {
    let _: (Name, BTreeMap<u8, u8>, Title) = (GREETING.repeat(TIMES as usize), BTreeMap::new(), Title::Countess);
    drop(tasks::greet());
}
