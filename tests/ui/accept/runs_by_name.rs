//! A worker runs a task with what is stored: arguments as JSON in, return value as JSON out.

use std::fmt;

use task_core::{CancelToken, FailureKind, Limits, Registry, TaskContext, TaskFailure, execute, task};

#[derive(Debug)]
pub struct Grumpy;

impl fmt::Display for Grumpy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not today")
    }
}

#[task]
async fn greet(name: String, #[task(default)] times: u32, title: Option<String>) -> Result<String, Grumpy> {
    match name.as_str() {
        "Grump" => Err(Grumpy),
        name => Ok(format!("{}{name} {times}", title.unwrap_or_default())),
    }
}

#[task]
fn add(left: u32, right: u32) -> u32 {
    left.checked_add(right).expect("small numbers")
}

#[task(takes_context)]
fn attempt(context: TaskContext) -> u32 {
    context.attempt()
}

#[task]
async fn fetch() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Err(Box::new(std::io::Error::other("no line")))
}

#[task]
fn parse(number: String) -> Result<i32, std::num::ParseIntError> {
    number.parse()
}

async fn run(name: &str, arguments: &str) -> Result<String, TaskFailure> {
    let registry = Registry::collected().expect("names differ");
    let entry = registry.require(&format!("{}::{name}", module_path!())).expect("registered");
    let (context, token) = (TaskContext::detached(name), CancelToken::new());
    execute(entry, arguments, context, &token, Limits::DEFAULT).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(run("greet", r#"{"name":"Ada"}"#).await.as_deref(), Ok(r#""Ada 0""#));
    let all = r#"{"times":3,"title":"Countess ","name":"Ada","gone":true}"#;
    assert_eq!(run("greet", all).await.as_deref(), Ok(r#""Countess Ada 3""#));
    let failure = run("greet", r#"{"name":"Grump"}"#).await.expect_err("grumpy");
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Error, "not today"));
    let failure = run("greet", "{}").await.expect_err("no name");
    assert_eq!(failure.kind, FailureKind::Arguments);
    assert!(failure.message.contains("missing field `name`"), "{failure}");

    assert_eq!(run("add", r#"{"left":1,"right":2}"#).await.as_deref(), Ok("3"));
    let failure = run("add", r#"{"left":1,"right":4294967295}"#).await.expect_err("too large");
    assert_eq!(failure.kind, FailureKind::Panic);
    assert_eq!(run("attempt", "{}").await.as_deref(), Ok("1"));
    assert_eq!(run("fetch", "{}").await.expect_err("no line").message, "no line");
    let failure = run("parse", r#"{"number":"x"}"#).await.expect_err("no number");
    assert_eq!(failure.error_type, "core::num::error::ParseIntError");
}
