//! SQL on its way to a connection: several statements with their values, sent at once.
//!
//! Each trip to the connection's thread costs more than a small statement, so a
//! transaction collects its statements and sends them only when it needs an answer.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection};
use task_core::{Error, ErrorKind, Result};

use super::error::from_sqlx;

/// A value for a `?`.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(Arc<str>),
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
        Self::Text(value.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
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
    /// Adds a statement; its `?` take the values in order. Never `?1`: numbers count over
    /// the whole script.
    pub(crate) fn push(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        debug_assert!(!sql.contains("?1"), "a numbered value in a script: {sql}");
        if !self.sql.is_empty() {
            self.sql.push_str(";\n");
        }
        self.sql.push_str(sql);
        for value in values {
            self.bind(value);
        }
    }

    /// Adds `INSERT ... VALUES` for so many rows.
    fn push_rows(&mut self, insert: &Insert, count: usize, values: impl Iterator<Item = Value>) {
        self.push(insert.into, []);
        self.sql
            .reserve(count * (insert.row.len() + 1) + insert.conflict.len() + 8);
        for row in 0..count {
            self.sql.push_str(if row == 0 { " VALUES " } else { "," });
            self.sql.push_str(&insert.row);
        }
        self.sql.push_str(insert.conflict);
        self.arguments.reserve(count * insert.width, 0);
        for value in values {
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
/// The largest times the widest table stays below SQLite's limit of 32,766 values.
const ROW_STEPS: [usize; 12] = [2000, 1000, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// From this many rows on a statement is sent at once, so that the texts of scripts
/// differ only in their small ends.
const SEND_AT_ROWS: usize = 32;

/// An insert of many rows of one shape.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    /// `INSERT INTO table (columns)`.
    into: &'static str,
    /// One row: `(?,?,1)`.
    row: Cow<'static, str>,
    conflict: &'static str,
    width: usize,
}

impl Insert {
    /// An insert into these columns; `row` has a `?` for each value and constants besides.
    pub(crate) fn new(into: &'static str, row: impl Into<Cow<'static, str>>, conflict: &'static str) -> Self {
        let row = row.into();
        let width = row.bytes().filter(|byte| *byte == b'?').count();
        Self {
            into,
            row,
            conflict,
            width,
        }
    }
}

/// Rows made into statements apart from any transaction: the work of binding many values
/// is done before the store's lock is held.
pub(crate) struct Rows {
    insert: Insert,
    /// Statements for many rows, each sent alone.
    large: Vec<Script>,
    /// The values of the last few rows, which travel with other statements.
    rest: std::vec::IntoIter<Value>,
}

impl Rows {
    /// Statements that insert these rows.
    pub(crate) fn new(insert: Insert, values: Vec<Value>) -> Self {
        let mut rows = Self {
            insert,
            large: Vec::new(),
            rest: values.into_iter(),
        };
        for step in ROW_STEPS.into_iter().filter(|step| *step >= SEND_AT_ROWS) {
            let values = step * rows.insert.width;
            while rows.rest.len() >= values {
                let mut script = Script::default();
                script.push_rows(&rows.insert, step, rows.rest.by_ref().take(values));
                rows.large.push(script);
            }
        }
        rows
    }

    /// Sends the large statements at once and leaves the last few rows in `script`.
    pub(crate) async fn send(mut self, script: &mut Script, connection: &mut SqliteConnection) -> Result<()> {
        for mut large in self.large {
            script.send(connection).await?;
            large.send(connection).await?;
        }
        for step in ROW_STEPS {
            let values = step * self.insert.width;
            while self.rest.len() >= values {
                script.push_rows(&self.insert, step, self.rest.by_ref().take(values));
            }
        }
        Ok(())
    }
}
