//! An argument that had other names is found under each of them, and written under its own.

use task_core::{CancelToken, FailureKind, Limits, Registry, TaskContext, TaskFailure, execute, task};

#[task]
async fn pay(
    #[task(alias = "cost")] sum: u32,
    #[task(alias = ["remark", "a comment"], default)] note: String,
    #[task(default)]
    #[task(alias = "tip")]
    r#type: Option<u8>,
    #[cfg(any())]
    #[task(alias = "sum")]
    gone: u8,
) -> String {
    format!("{sum} {note} {:?}", r#type)
}

async fn run(arguments: &str) -> Result<String, TaskFailure> {
    let registry = Registry::collected().expect("one task");
    let entry = registry.iter().next().expect("registered");
    let (context, token) = (TaskContext::detached("pay"), CancelToken::new());
    execute(entry, arguments, context, &token, Limits::DEFAULT).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for arguments in [
        r#"{"sum":1,"note":"x","type":2}"#,
        r#"{"cost":1,"remark":"x","tip":2}"#,
        r#"{"a comment":"x","type":2,"cost":1}"#,
    ] {
        assert_eq!(run(arguments).await.as_deref(), Ok(r#""1 x Some(2)""#), "{arguments}");
    }
    assert_eq!(run(r#"{"cost":1}"#).await.as_deref(), Ok(r#""1  None""#));
    for both in [r#"{"sum":1,"cost":1}"#, r#"{"cost":1,"sum":1}"#] {
        let failure = run(both).await.expect_err("the same argument twice");
        assert_eq!(failure.kind, FailureKind::Arguments);
        assert!(failure.message.contains("duplicate field `sum`"), "{failure}");
    }
    let failure = run("{}").await.expect_err("no sum");
    assert!(failure.message.contains("missing field `sum`"), "{failure}");
    assert_eq!(pay::new(1, "x", Some(2)).arguments().sum, 1);
}
