//! An order and the mail about it: both are stored, or neither.
//!
//! The task is enqueued in the application's own transaction, so no mail is sent for an order
//! that was rolled back, and none is forgotten for one that was committed.
//!
//! Without an argument the shop is a file; with `--features postgres` or `mysql` it may be a server's
//! database: `cargo run -p examples --features postgres --example transaction -- postgres://ada@localhost/shop`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use sqlx::Connection as _;
use task_backends::EnqueueIn as _;
use task_core::{Backends, Settings, TaskResult, task};

/// Thank for an order.
#[task]
async fn send_mail(order: i64, item: String) -> String {
    format!("Thank you for order {order}: {item}")
}

/// A shop on one kind of database. Only the driver and its placeholders differ.
macro_rules! shop {
    ($kind:ident, $connection:ty, $insert:literal) => {
        mod $kind {
            use super::*;

            /// Writes an order and, through the same connection, the task to send a mail about it.
            async fn place_order(
                connection: &mut $connection,
                order: i64,
                item: &str,
            ) -> Result<TaskResult<String>, Box<dyn Error>> {
                let insert = sqlx::query($insert).bind(order).bind(item);
                insert.execute(&mut *connection).await?;
                Ok(send_mail::new(order, item).enqueue_in(connection).await?)
            }

            /// Places an order that is rolled back and one that is committed.
            pub async fn open(url: &str) -> Result<[TaskResult<String>; 2], Box<dyn Error>> {
                let mut connection = <$connection>::connect(url).await?;
                sqlx::query("CREATE TABLE orders (id BIGINT PRIMARY KEY, item VARCHAR(100) NOT NULL)")
                    .execute(&mut connection)
                    .await?;

                let mut transaction = connection.begin().await?;
                let vanished = place_order(&mut transaction, 1, "a kettle").await?;
                transaction.rollback().await?;

                let mut transaction = connection.begin().await?;
                let kept = place_order(&mut transaction, 2, "a pound of tea").await?;
                transaction.commit().await?;

                let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM orders")
                    .fetch_one(&mut connection)
                    .await?;
                println!("orders stored: {orders}");
                connection.close().await?;
                Ok([vanished, kept])
            }
        }
    };
}

shop!(
    sqlite,
    sqlx::SqliteConnection,
    "INSERT INTO orders (id, item) VALUES (?, ?)"
);
#[cfg(feature = "postgres")]
shop!(
    postgres,
    sqlx::PgConnection,
    "INSERT INTO orders (id, item) VALUES ($1, $2)"
);
#[cfg(feature = "mysql")]
shop!(
    mysql,
    sqlx::MySqlConnection,
    "INSERT INTO orders (id, item) VALUES (?, ?)"
);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}", folder.path().join("shop.db").display());
    let url = std::env::args().nth(1).unwrap_or(file);
    let kind = url.split(':').next().unwrap_or_default();

    // Orders and tasks share one database: that is what lets them share a transaction.
    let settings = format!("[default]\nbackend = \"{kind}\"\nurl = \"{url}\"\n");
    let settings = Settings::from_text(&settings, Path::new("tasks.toml"), &BTreeMap::new())?;
    task_backends::init_with(&settings).await?;
    let results = match kind {
        "sqlite" => sqlite::open(&url).await?,
        #[cfg(feature = "postgres")]
        "postgres" => postgres::open(&url).await?,
        #[cfg(feature = "mysql")]
        "mysql" => mysql::open(&url).await?,
        other => return Err(format!("`{other}` has no transactions that tasks can take part in").into()),
    };

    // A worker inside this program, until nothing is due any more.
    let backends = Backends::global()?;
    let drained = task_worker::drain(backends).await?;
    println!("mails sent: {}", drained.summary.succeeded);
    for result in results {
        match send_mail::get_result(result.id()).await {
            Ok(mail) => println!("{}: {}", mail.id(), mail.return_value()?),
            Err(error) => println!("{error}"),
        }
    }
    backends.close().await;
    Ok(())
}
