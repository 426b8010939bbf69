//! SQLite's connections behind the common face.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Connection as _, Either, Executor as _, Row as _, Sqlite,
    SqliteConnection, TypeInfo as _, ValueRef as _,
};
use task_core::{Error, ErrorKind, Result};
use uuid::Uuid;

use crate::sql::damage::marked;
use crate::sql::engine::Link;
use crate::sql::error::{corrupt, from_sqlx};
use crate::sql::script::{Answer, Statement};
use crate::sql::value::{Row, Value};

/// All statements as one text: a trip to the connection's thread costs more than most of them.
async fn send(connection: &mut SqliteConnection, statements: Vec<Statement>) -> Result<Answer> {
    let mut arguments = SqliteArguments::default();
    let mut sql = String::with_capacity(statements.iter().map(|one| one.sql.len() + 2).sum());
    for statement in statements {
        if sql.is_empty() && sql.capacity() == statement.sql.len() + 2 {
            sql = statement.sql.into_owned();
        } else {
            if !sql.is_empty() {
                sql.push_str(";\n");
            }
            sql.push_str(&statement.sql);
        }
        arguments.reserve(statement.values.len(), 0);
        for value in statement.values {
            bind(&mut arguments, value)?;
        }
    }
    // Only the shape of the text varies (how many rows); every value is bound.
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
    collect(connection.fetch_many(query)).await
}

fn bind(arguments: &mut SqliteArguments, value: Value) -> Result<()> {
    let bound = match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Int(value) => arguments.add(value),
        Value::Text(value) => arguments.add(value),
        Value::Id(id) => arguments.add(id.as_bytes().to_vec()),
        Value::List(_) | Value::Column(_) => return Err(corrupt("a list was not prepared for SQLite")),
    };
    bound.map_err(|error| {
        Error::new(ErrorKind::Encoding, "a value cannot be bound").because(error.to_string())
    })
}

type Stream<'s> = std::pin::Pin<
    Box<
        dyn futures_util::Stream<
                Item = Result<Either<sqlx::sqlite::SqliteQueryResult, SqliteRow>, sqlx::Error>,
            > + Send
            + 's,
    >,
>;

async fn collect(mut stream: Stream<'_>) -> Result<Answer> {
    use futures_util::TryStreamExt as _;

    let mut answer = Answer::default();
    let mut names: Option<(usize, Arc<[Box<str>]>)> = None;
    while let Some(item) = stream.try_next().await.map_err(from_sqlx)? {
        match item {
            Either::Left(done) => {
                answer.written += done.rows_affected();
                names = None;
            }
            Either::Right(row) => {
                let names = match &names {
                    Some((count, known)) if *count == row.columns().len() => known.clone(),
                    _ => {
                        let fresh: Arc<[Box<str>]> =
                            row.columns().iter().map(|column| column.name().into()).collect();
                        names = Some((row.columns().len(), fresh.clone()));
                        fresh
                    }
                };
                answer.rows.push(Row {
                    values: (0..names.len())
                        .map(|index| read(&row, index))
                        .collect::<Result<_>>()?,
                    names,
                });
            }
        }
    }
    Ok(answer)
}

fn read(row: &SqliteRow, index: usize) -> Result<Value> {
    let raw = row.try_get_raw(index).map_err(from_sqlx)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" | "BOOLEAN" => Value::Int(row.try_get_unchecked(index).map_err(from_sqlx)?),
        "TEXT" => {
            // As bytes: damaged text is shown as far as it can be.
            let bytes: &[u8] = row.try_get_unchecked(index).map_err(from_sqlx)?;
            Value::Text(marked(bytes).into())
        }
        "BLOB" => {
            let bytes: &[u8] = row.try_get_unchecked(index).map_err(from_sqlx)?;
            Value::Id(
                Uuid::from_slice(bytes)
                    .map_err(|_| corrupt(format!("a task's id has {} bytes", bytes.len())))?,
            )
        }
        other => return Err(corrupt(format!("a column is of type {other}"))),
    })
}

#[async_trait]
impl Link for SqliteConnection {
    async fn send(&mut self, statements: Vec<Statement>) -> Result<Answer> {
        send(self, statements).await
    }

    async fn send_raw(&mut self, sql: String) -> Result<Vec<Row>> {
        Ok(send(self, vec![Statement::new(sql, [])]).await?.rows)
    }

    async fn is_alive(&mut self) -> bool {
        self.ping().await.is_ok()
    }

    async fn close(self: Box<Self>) {
        // One that does not close cleanly is closed by being dropped.
        let _ = sqlx::Connection::close(*self).await;
    }
}

#[async_trait]
impl Link for sqlx::Transaction<'static, Sqlite> {
    async fn send(&mut self, statements: Vec<Statement>) -> Result<Answer> {
        send(self, statements).await
    }

    async fn send_raw(&mut self, sql: String) -> Result<Vec<Row>> {
        Ok(send(self, vec![Statement::new(sql, [])]).await?.rows)
    }

    async fn is_alive(&mut self) -> bool {
        self.ping().await.is_ok()
    }

    async fn close(self: Box<Self>) {}
}
