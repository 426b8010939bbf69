//! Changing a task that is still queued. Each test stores tasks with one definition, in a real
//! file, and runs them with another: what happens when a new version meets old tasks, and when
//! an old worker meets new ones.

use std::sync::Arc;
use std::time::Duration;

use former as old;
use serde::{Deserialize, Serialize};
use task_backends::{SqliteBackend, SqliteOptions};
use task_core::{
    BackendAlias, Backends, ErrorKind, FailureKind, Limits, Registry, Task, TaskCall, TaskResult, TaskStatus,
    get_result_on,
};
use task_worker::{Shutdown, Worker, WorkerOptions};
use tempfile::TempDir;

/// Long enough for a worker on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// As it is: `cost` is called `sum`, `tip` is gone, `currency` and `note` are new; `ship` is called
/// `send`; `refund` is new; `deliver` and `count` were changed without care.
mod new {
    use task_core::task;

    use super::Address;

    /// Pays.
    #[task(name = "shop::pay")]
    pub async fn pay(
        #[task(alias = "cost")] sum: u32,
        #[task(default)] currency: String,
        note: Option<String>,
    ) -> String {
        format!("{sum} {currency:?} {note:?}")
    }

    /// Sends.
    #[task(name = "shop::send", aliases = ["shop::ship"])]
    pub async fn send(order: u32) -> u32 {
        order
    }

    /// Pays back.
    #[task(name = "shop::refund")]
    pub async fn refund(sum: u32) -> u32 {
        sum
    }

    /// Delivers: with an argument that old tasks do not have.
    #[task(name = "shop::deliver")]
    pub async fn deliver(order: u32, to: Address) -> String {
        format!("{order} {to:?}")
    }

    /// Counts: what was a number is a list now.
    #[task(name = "shop::count")]
    pub async fn count(order: Vec<u32>) -> Vec<u32> {
        order
    }

    /// Where it goes.
    #[task(name = "shop::address")]
    pub async fn address(to: Address) -> Address {
        to
    }
}

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub town: String,
}

/// A store in a file, and workers that know what they are told.
struct Shop {
    backends: Backends,
    _folder: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = SqliteOptions::new(folder.path().join("tasks.db"));
        let backend = SqliteBackend::open(options).await.expect("a new file");
        let alias = BackendAlias::new("default", Arc::new(backend), [], Limits::DEFAULT);
        Self {
            backends: Backends::new([alias]),
            _folder: folder,
        }
    }

    async fn enqueue<T: Task>(&self, call: TaskCall<T>) -> TaskResult<T::Output> {
        call.enqueue_on(&self.backends).await.expect("accepted")
    }

    /// Runs everything that a worker with these tasks can run, and returns when it has.
    async fn run(&self, registry: &Registry) {
        let options = WorkerOptions {
            batch: true,
            ..WorkerOptions::default()
        };
        let alias = self.backends.get("default").expect("the only one").clone();
        let worker = Worker::new(alias, registry.clone(), options).expect("a worker like any other");
        let running = tokio::time::timeout(PATIENCE, worker.run(Shutdown::new())).await;
        running.expect("it ends").expect("it ends well");
    }

    /// The record of a task that ran with these definitions.
    async fn after<T>(&self, mut result: TaskResult<T>, registry: &Registry) -> TaskResult<T> {
        self.run(registry).await;
        result.refresh().await.expect("it is there");
        result
    }
}

/// The tasks of these types.
macro_rules! knowing {
    ($($task:ty),*) => {{
        let mut registry = Registry::new();
        $(registry.add::<$task>().expect("the names differ");)*
        registry
    }};
}

#[tokio::test]
async fn an_argument_that_was_renamed_is_found_under_its_alias_and_one_that_is_gone_is_passed_over() {
    let shop = Shop::open().await;
    let result = shop.enqueue(old::pay::new(5, 1)).await;
    let result = shop.after(result, &knowing!(new::pay)).await;
    assert_eq!(result.return_value().expect("it ran"), r#"5 "" None"#);
    assert_eq!(
        result.arguments().expect("JSON"),
        serde_json::json!({"cost": 5, "tip": 1})
    );
}

#[tokio::test]
async fn arguments_that_were_added_with_a_default_or_as_an_option_may_be_missing() {
    let shop = Shop::open().await;
    let before = shop.enqueue(old::pay::new(5, 1)).await;
    let after = shop.enqueue(new::pay::new(6, "EUR", "thanks".to_owned())).await;
    let before = shop.after(before, &knowing!(new::pay)).await;
    assert_eq!(before.return_value().expect("it ran"), r#"5 "" None"#);
    let after = get_result_on::<new::pay>(after.id(), &shop.backends)
        .await
        .expect("it is there");
    assert_eq!(after.return_value().expect("it ran"), r#"6 "EUR" Some("thanks")"#);
}

#[tokio::test]
async fn an_argument_that_was_added_without_a_default_fails_old_tasks_and_says_which() {
    let shop = Shop::open().await;
    let result = shop.enqueue(old::deliver::new(7)).await;
    let result = shop.after(result, &knowing!(new::deliver)).await;
    let failure = &result.errors[0].failure;
    assert_eq!(failure.kind, FailureKind::Arguments);
    assert_eq!(
        failure.message,
        "the arguments do not fit the task: missing field `to`"
    );
}

#[tokio::test]
async fn an_argument_of_another_type_fails_old_tasks_with_its_path_and_a_retry_runs_them_with_the_old_one() {
    let shop = Shop::open().await;
    let result = shop.enqueue(old::count::new(7)).await;
    let id = result.id();
    let result = shop.after(result, &knowing!(new::count)).await;
    let failure = &result.errors[0].failure;
    assert_eq!(failure.kind, FailureKind::Arguments);
    assert_eq!(
        failure.message,
        "argument `order`: invalid type: integer `7`, expected a sequence"
    );
    let alias = shop.backends.get("default").expect("the only one");
    let admin = alias.backend().admin().expect("it can be operated");
    admin.retry(id).await.expect("it may run again");
    let result = shop.after(result, &knowing!(old::count)).await;
    assert_eq!(result.status(), TaskStatus::Successful, "nothing of it was lost");
}

#[tokio::test]
async fn a_task_that_was_renamed_runs_under_its_old_name() {
    let shop = Shop::open().await;
    let result = shop.enqueue(old::ship::new(7)).await;
    let result = shop.after(result, &knowing!(new::send)).await;
    assert_eq!(result.return_value().expect("it ran"), 7);
    assert_eq!(&*result.name, "shop::ship");
    let again = get_result_on::<new::send>(result.id(), &shop.backends).await;
    assert_eq!(
        again
            .expect("found under its new name")
            .return_value()
            .expect("it ran"),
        7
    );
}

#[tokio::test]
async fn a_worker_older_than_the_producer_passes_over_arguments_it_does_not_know() {
    let shop = Shop::open().await;
    // `sum` is unknown to the old definition and `cost` is missing: that is told.
    let renamed = shop.enqueue(new::pay::new(5, "EUR", None::<String>)).await;
    // All that it needs is there, and more: that is passed over.
    let added = shop
        .enqueue(new::deliver::new(
            7,
            Address {
                town: "Ur".to_owned(),
            },
        ))
        .await;
    let renamed = shop.after(renamed, &knowing!(old::pay, old::deliver)).await;
    assert_eq!(
        renamed.errors[0].failure.message,
        "the arguments do not fit the task: missing field `cost`"
    );
    let added = get_result_on::<old::deliver>(added.id(), &shop.backends)
        .await
        .expect("it is there");
    assert_eq!(added.return_value().expect("it ran"), 7);
}

#[tokio::test]
async fn a_task_that_an_older_worker_does_not_know_waits_and_is_not_failed() {
    let shop = Shop::open().await;
    let unknown = shop.enqueue(new::refund::new(5)).await;
    let known = shop.enqueue(old::ship::new(7)).await;
    let known = shop.after(known, &knowing!(old::pay, old::ship)).await;
    assert_eq!(known.status(), TaskStatus::Successful);
    let mut unknown = unknown;
    unknown.refresh().await.expect("it is there");
    assert_eq!(
        (unknown.status(), unknown.attempts, unknown.errors.len()),
        (TaskStatus::Ready, 0, 0)
    );
    let unknown = shop.after(unknown, &knowing!(new::refund)).await;
    assert_eq!(unknown.return_value().expect("it ran"), 5);
}

#[tokio::test]
async fn a_return_type_that_changed_is_told_with_the_path_and_the_value_stays() {
    /// As the new version reads it.
    #[derive(Debug, Serialize, Deserialize)]
    struct Numbered {
        town: u32,
    }
    let shop = Shop::open().await;
    let address = Address {
        town: "Ur".to_owned(),
    };
    let result = shop.enqueue(new::address::new(address.clone())).await;
    let result = shop.after(result, &knowing!(new::address)).await;
    let alias = shop.backends.get("default").expect("the only one");
    let typed: TaskResult<Numbered> = TaskResult::new(result.record().clone(), alias.clone());
    let error = typed
        .return_value()
        .map(|numbered| numbered.town)
        .expect_err("a text is no number");
    assert_eq!(error.kind(), ErrorKind::Encoding);
    assert_eq!(
        error.message(),
        "the stored return value of `shop::address` does not fit its type: `town`: invalid type: string \
         \"Ur\", expected u32"
    );
    assert_eq!(result.return_value().expect("it is as it was"), address);
}
