//! A connection to the store that does not go through the framework.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

/// Looks behind the framework's back, and holds locks against it.
#[derive(Debug)]
pub struct Sql(SqliteConnection);

impl Sql {
    /// A connection to this file, which must be there.
    pub async fn open(file: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(60));
        Self(options.connect().await.expect("SQLite opens the file"))
    }

    /// Runs a statement.
    pub async fn run(&mut self, sql: &'static str) {
        let ran = sqlx::query(sql).execute(&mut self.0).await;
        ran.expect("the statement is right");
    }

    /// The rows of a query.
    pub async fn rows(&mut self, sql: &'static str) -> Vec<SqliteRow> {
        let rows = sqlx::query(sql).fetch_all(&mut self.0).await;
        rows.expect("the query is right")
    }

    /// The one number of a query.
    pub async fn number(&mut self, sql: &'static str) -> i64 {
        let number = sqlx::query_scalar(sql).fetch_one(&mut self.0).await;
        number.expect("the query is right")
    }

    /// The numbers of the one row of a query.
    pub async fn numbers(&mut self, sql: String) -> Vec<i64> {
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut self.0).await;
        let row = row.expect("the query is right");
        (0..row.len()).map(|column| row.get(column)).collect()
    }

    /// What SQLite says about the file: `ok`.
    pub async fn integrity(&mut self) -> String {
        let rows = self.rows("PRAGMA integrity_check").await;
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        lines.join("\n")
    }

    /// Lets go of the file.
    pub async fn close(self) {
        self.0.close().await.expect("it can be closed");
    }
}
