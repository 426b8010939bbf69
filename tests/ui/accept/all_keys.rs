//! Every key at once ends up in the entry.

use task_core::{Registry, Task, TaskContext, task};

task_core::queues! { default, special, "high-priority" }

/// Say hello.
///
/// To a person.
#[task(
    priority = -10,
    queue = "high-priority",
    backend = "reports",
    takes_context,
    name = "billing::greet",
    aliases = ["greet", "billing::hello"],
    max_attempts = 5,
    timeout = "1m 30s",
    crate = ::task_core,
)]
pub async fn greet(context: TaskContext, name: String) -> Result<String, std::io::Error> {
    Ok(format!("{name}, attempt {}", context.attempt()))
}

#[task(queue = queues::SPECIAL)]
pub async fn wave() {}

fn main() {
    let entry = greet::ENTRY;
    assert_eq!(entry.name(), "billing::greet");
    assert_eq!(entry.aliases(), ["greet", "billing::hello"]);
    assert_eq!(entry.description(), "Say hello.");
    assert_eq!(entry.module_path(), module_path!());
    assert_eq!(entry.default_priority(), -10);
    assert_eq!(entry.default_queue(), "high-priority");
    assert_eq!(entry.default_backend(), "reports");
    assert_eq!(entry.policy().max_attempts, 5);
    assert_eq!(entry.policy().timeout_ms, Some(90_000));
    assert!(entry.takes_context());
    assert_eq!(wave::ENTRY.default_queue(), "special");
    assert_eq!(queues::HIGH_PRIORITY.name(), "high-priority");
    assert_eq!(queues::DEFAULT.name(), "default");
    let registry = Registry::collected().expect("two tasks of two names");
    assert_eq!(registry.len(), 2);
    assert_eq!(registry.find("billing::hello").map(|entry| entry.name()), Some("billing::greet"));
}
