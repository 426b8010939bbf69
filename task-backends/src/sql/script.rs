//! SQL on its way to a connection: several statements with their values, sent at once.
//!
//! Each trip to the connection's thread costs more than a small statement, so a
//! transaction collects its statements and sends them only when it needs an answer.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection};
use task_core::{Error, ErrorKind, Result};

use super::error::from_sqlx;

/// A value for a `?`.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Statements that were not sent yet.
#[derive(Default)]
pub(crate) struct Script {
    sql: String,
    arguments: SqliteArguments,
    unbindable: Option<String>,
}

impl Script {
    pub(crate) fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }

    /// Adds a statement; its `?` take the values in order.
    pub(crate) fn push(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        if !self.sql.is_empty() {
            self.sql.push_str(";\n");
        }
        self.sql.push_str(sql);
        for value in values {
            self.bind(value);
        }
    }

    /// Adds `INSERT ... VALUES` for several rows of `width` values each.
    fn push_rows(
        &mut self,
        insert: &str,
        conflict: &str,
        width: usize,
        rows: impl ExactSizeIterator<Item = Value>,
    ) {
        let count = rows.len() / width;
        self.push(insert, []);
        self.sql.reserve(count * (2 * width + 2) + conflict.len());
        for row in 0..count {
            self.sql.push_str(if row == 0 { " VALUES (?" } else { ",(?" });
            for _ in 1..width {
                self.sql.push_str(",?");
            }
            self.sql.push(')');
        }
        self.sql.push_str(conflict);
        for value in rows {
            self.bind(value);
        }
    }

    fn bind(&mut self, value: Value) {
        let bound = match value {
            Value::Null => self.arguments.add(None::<i64>),
            Value::Int(value) => self.arguments.add(value),
            Value::Text(value) => self.arguments.add(value),
            Value::Blob(value) => self.arguments.add(value),
        };
        if let Err(error) = bound {
            self.unbindable.get_or_insert(error.to_string());
        }
    }

    /// Sends everything and returns the rows that came back.
    pub(crate) async fn send(&mut self, connection: &mut SqliteConnection) -> Result<Vec<SqliteRow>> {
        let script = std::mem::take(self);
        if let Some(reason) = script.unbindable {
            return Err(Error::new(
                ErrorKind::Encoding,
                format!("a value cannot be bound: {reason}"),
            ));
        }
        if script.sql.is_empty() {
            return Ok(Vec::new());
        }
        // Only the shape of the text varies (how many rows); every value is bound.
        sqlx::query_with(AssertSqlSafe(script.sql), script.arguments)
            .fetch_all(connection)
            .await
            .map_err(from_sqlx)
    }
}

/// The sizes in which many rows are inserted: few enough that every statement text is
/// prepared once and then found again. 1000 is what a full chunk of enqueued tasks has.
const ROW_STEPS: [usize; 11] = [1000, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// From this many rows on a statement is sent at once, so that the texts of scripts
/// differ only in their small ends.
const SEND_AT_ROWS: usize = 32;

/// Inserts rows of `width` values through `script`, sending it when it grows large.
pub(crate) async fn insert_rows(
    script: &mut Script,
    connection: &mut SqliteConnection,
    insert: &str,
    conflict: &str,
    width: usize,
    mut values: Vec<Value>,
) -> Result<()> {
    for step in ROW_STEPS {
        while values.len() >= step * width {
            if step >= SEND_AT_ROWS && !script.is_empty() {
                script.send(connection).await?;
            }
            let rest = values.split_off(step * width);
            let rows = std::mem::replace(&mut values, rest);
            script.push_rows(insert, conflict, width, rows.into_iter());
            if step >= SEND_AT_ROWS {
                script.send(connection).await?;
            }
        }
    }
    Ok(())
}
