//! What the user calls `Result`, `Option` or `core` is the user's business.
#![allow(unused, non_camel_case_types)]

use task_core::task;

type Text = std::string::String;

struct Result;
struct Option;
struct String;
struct Vec;
struct Box;
struct Task;
struct TaskEntry;
struct TaskCall;
struct TaskResult;
struct Send;
struct Into;
struct str;
mod core {}
mod task_macros {}
macro_rules! line {
    () => {
        compile_error!("not this one")
    };
}
macro_rules! module_path {
    () => {
        compile_error!("not this one")
    };
}

fn run() {}
fn drop() {}

#[task(name = "greet")]
async fn greet(name: Text) -> std::result::Result<Text, std::io::Error> {
    Ok(name)
}

#[task]
fn ping(times: u32) -> u32 {
    times
}

fn main() {
    run();
    drop();
    let _ = greet::enqueue("Ada".to_string());
    let _ = ping::enqueue(3);
}
