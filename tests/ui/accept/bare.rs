//! Nothing but the attribute, with and without brackets.

use task_core::{Task, TaskCall, task};

#[task]
pub async fn greet(name: String) -> String {
    format!("Hello, {name}!")
}

#[task()]
async fn ping() {}

fn main() {
    let call: TaskCall<greet> = greet::new("Ada");
    assert_eq!(call.arguments().name, "Ada");
    assert_eq!(greet::ENTRY.name(), concat!(module_path!(), "::greet"));
    assert_eq!(greet::ENTRY.default_queue(), "default");
    assert_eq!(greet::ENTRY.place().1, 6);
    assert!(greet::ENTRY.place().0.ends_with("bare.rs"));
    assert!(greet::ENTRY.is_async());
    assert_eq!(serde_json::to_string(&ping {}).expect("plain data"), "{}");
    drop(ping::enqueue());
}
