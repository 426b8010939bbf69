//! An order and the mail about it: both are stored, or neither.
//!
//! The task is enqueued in the application's own transaction, so no mail is sent for an order
//! that was rolled back, and none is forgotten for one that was committed.

use std::error::Error;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use task_backends::{EnqueueIn as _, SqliteBackend, SqliteOptions};
use task_core::{Backends, Registry, TaskResult, task};
use task_worker::{Shutdown, Worker, WorkerOptions};

/// Thank for an order.
#[task]
async fn send_mail(order: i64, item: String) -> String {
    format!("Thank you for order {order}: {item}")
}

/// Writes an order and, through the same connection, the task to send a mail about it.
async fn place_order(
    connection: &mut SqliteConnection,
    item: &str,
) -> Result<TaskResult<String>, Box<dyn Error>> {
    let order = sqlx::query("INSERT INTO orders (item) VALUES (?)")
        .bind(item)
        .execute(&mut *connection)
        .await?
        .last_insert_rowid();
    Ok(send_mail::new(order, item).enqueue_in(connection).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Orders and tasks share one file: that is what lets them share a transaction.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shop.db");
    Backends::single(Arc::new(SqliteBackend::open(SqliteOptions::new(&file)).await?)).install()?;
    let mut connection = SqliteConnectOptions::new().filename(&file).connect().await?;
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)")
        .execute(&mut connection)
        .await?;

    let mut transaction = connection.begin().await?;
    let vanished = place_order(&mut transaction, "a kettle").await?;
    transaction.rollback().await?;

    let mut transaction = connection.begin().await?;
    let kept = place_order(&mut transaction, "a pound of tea").await?;
    transaction.commit().await?;

    // A worker inside this program, until nothing is due any more.
    let backends = Backends::global()?;
    let options = WorkerOptions {
        batch: true,
        ..WorkerOptions::default()
    };
    let worker = Worker::new(backends.get("default")?.clone(), Registry::collected()?, options)?;
    let summary = worker.run(Shutdown::new()).await?;

    println!("mails sent: {}", summary.succeeded);
    for result in [vanished, kept] {
        match send_mail::get_result(result.id()).await {
            Ok(mail) => println!("{}: {}", mail.id(), mail.return_value()?),
            Err(error) => println!("{error}"),
        }
    }
    backends.close().await;
    Ok(connection.close().await?)
}
