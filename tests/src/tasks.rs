//! Tasks to enqueue. Linking this crate registers them, so a backend that runs tasks
//! itself finds them.

use task_core::{TaskContext, TaskId, task};

/// Returns what it was given.
#[task]
pub async fn echo(text: String) -> String {
    text
}

/// Adds two numbers, with options of its own.
#[task(priority = 7, queue = "sums", max_attempts = 4)]
pub async fn add(left: i64, right: i64) -> i64 {
    left + right
}

/// Returns nothing.
#[task]
pub async fn nothing() {}

/// Fails with this reason.
#[task]
pub async fn refuse(reason: String) -> Result<u32, String> {
    Err(reason)
}

/// Fails, though it may be tried again.
#[task(max_attempts = 3)]
pub async fn refuse_thrice(reason: String) -> Result<u32, String> {
    Err(reason)
}

/// Panics with this message.
#[task]
pub async fn panic_with(message: String) {
    panic!("{message}");
}

/// Takes longer than it may.
#[task(timeout = "20ms")]
pub async fn oversleep() {
    std::future::pending::<()>().await;
}

/// Is not async.
#[task]
pub fn shout(text: String) -> String {
    text + "!"
}

/// Says what it knows of itself: its id, its attempt, its status.
#[task(takes_context)]
pub async fn introspect(context: TaskContext) -> (TaskId, u32, String) {
    (
        context.task_id(),
        context.attempt(),
        context.record().status.to_string(),
    )
}

/// Had another name once.
#[task(aliases = ["conformance::formerly"])]
pub async fn renamed(text: String) -> String {
    text
}

/// Goes to another backend unless a call says otherwise.
#[task(backend = "reports")]
pub async fn report(text: String) -> String {
    text
}

/// Returns this many letters.
#[task]
pub async fn letters(count: usize) -> String {
    "x".repeat(count)
}
