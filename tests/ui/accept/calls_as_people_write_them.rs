//! Literals find their type, text needs no `.to_owned()`, futures go where they like.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use task_core::{TaskCall, TaskId, task};

#[task]
async fn numbers(small: u8, wide: i64, real: f32, flag: bool) -> f32 {
    if flag { real } else { f32::from(small) + wide as f32 }
}

#[task]
async fn texts(name: String, path: PathBuf, boxed: Box<str>, cow: Cow<'static, str>, bytes: Vec<u8>) {
    drop((name, path, boxed, cow, bytes));
}

#[task]
async fn maybe(number: Option<u64>, name: Option<String>) {
    drop((number, name));
}

#[task]
async fn greet(name: String) -> String {
    name
}

fn anywhere<F: Future + Send + 'static>(future: F) -> F {
    future
}

fn main() {
    drop(numbers::enqueue(1, -2, 3.0, true));
    drop(texts::new("Ada", Path::new("ada.png"), "boxed", "cow", [1, 2, 3]));
    drop(texts::new(String::new(), "ada.png", String::new(), String::new(), vec![1, 2, 3]));
    drop(maybe::new(5, "Ada".to_owned()));
    drop(maybe::new(None, Some("Ada".to_owned())));

    let local = String::from("Ada");
    let future = anywhere(greet::enqueue(&local));
    drop(local);
    drop(future);

    let names = ["Ada", "Bob"];
    drop(anywhere(greet::enqueue_many(names.into_iter().map(greet::new))));
    let calls: Vec<TaskCall<greet>> = names.map(greet::new).into();
    drop(anywhere(greet::enqueue_many(calls)));
    drop(anywhere(greet::get_result(TaskId::new())));
    drop(Arc::new(greet::new("Ada")));
}
