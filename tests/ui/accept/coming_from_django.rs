//! The Rust half of the guide in `docs/django-tasks.md`, line for line.

use std::sync::Arc;
use std::time::Duration;

use task_backends::{DummyBackend, EnqueueIn as _};
use task_core::signals::TASK_FINISHED;
use task_core::{Backends, Result, TaskContext, TaskId, TaskResult, priority, task};

task_core::queues! { default, emails }

#[task(priority = 10, queue = "emails", takes_context)]
pub async fn greet(context: TaskContext, name: String) -> Result<String, std::fmt::Error> {
    Ok(format!("Hello {name}, attempt {}", context.attempt()))
}

async fn enqueue(
    names: Vec<String>,
    transaction: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
) -> Result<Vec<TaskResult<String>>> {
    let result = greet::enqueue("Ada").await?;
    let later = greet::new("Ada").using(priority(50).run_after(Duration::from_secs(60))).enqueue().await?;
    let with_my_data = greet::new("Ada").enqueue_in(transaction).await?;
    let many = greet::enqueue_many(names.into_iter().map(greet::new)).await?;
    Ok([result, later, with_my_data].into_iter().chain(many).collect())
}

async fn look(id: TaskId) -> Result<String> {
    let mut result = greet::get_result(id).await?;
    result.refresh().await?;
    if result.is_finished() {
        println!("{} {} {:?} {}", result.status(), result.attempts, result.errors, result.return_value()?);
    }
    let hello: String = result.wait(Duration::from_secs(10)).await?;
    Ok(hello)
}

async fn hands_in_a_greeting() -> Result<()> {
    let dummy = DummyBackend::new();
    let backends = Backends::single(Arc::new(dummy.clone()));
    greet::new("Ada").enqueue_on(&backends).await?;
    dummy.enqueued::<greet>().assert_count(1);
    Ok(())
}

fn main() {
    let connection = TASK_FINISHED.connect(|record| println!("{}", record.status));
    drop(connection);
    // Compiled here, run elsewhere: they need a store.
    let _ = (enqueue, look);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(hands_in_a_greeting()).expect("the dummy accepts it");
    let greeting = runtime.block_on(greet(TaskContext::detached("greet"), "Ada".to_owned()));
    assert_eq!(greeting.as_deref(), Ok("Hello Ada, attempt 1"));
}
