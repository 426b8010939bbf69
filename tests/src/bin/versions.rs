//! Prints which version of each embedded database is linked into the tests: name, tab,
//! version, one line each. `cargo xtask test` shows them in its table.

use sqlx::Connection as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sqlx::Error> {
    let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut connection)
        .await?;
    println!("sqlite\t{version}");
    connection.close().await
}
