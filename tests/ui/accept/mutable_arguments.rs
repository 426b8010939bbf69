//! `mut` is the function's own business.
#![deny(unused)]

use task_core::task;

#[task]
pub async fn shout(mut name: String, mut times: u32) -> String {
    name.push('!');
    times += 1;
    name.repeat(times as usize)
}

fn main() {
    drop(shout::enqueue("Ada", 2));
}
