//! MySQL's connections behind the common face.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlArguments, MySqlQueryResult, MySqlRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Connection as _, Either, Executor as _, MySql,
    MySqlConnection, Row as _, TypeInfo as _, ValueRef as _,
};
use task_core::{Error, ErrorKind, Result};
use uuid::Uuid;

use crate::sql::damage::marked;
use crate::sql::engine::Link;
use crate::sql::engine::server::{Trip, trips, write};
use crate::sql::error::{corrupt, from_sqlx};
use crate::sql::script::{Answer, Statement, Way};
use crate::sql::value::{Row, Value};

/// A statement with its numbers written into it.
fn text(statement: &Statement) -> String {
    let mut text = String::with_capacity(statement.sql.len() + 64);
    let mut rest = &*statement.sql;
    for value in &statement.values {
        let (before, behind) = rest.split_once('?').unwrap_or((rest, ""));
        text.push_str(before);
        write(value, "", &mut text);
        rest = behind;
    }
    text.push_str(rest);
    text
}

async fn send(connection: &mut MySqlConnection, statements: Vec<Statement>) -> Result<Answer> {
    let mut answer = Answer::default();
    for trip in trips(statements, text) {
        let statement = match trip {
            Trip::Text(text) => {
                let answers = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(text)));
                collect(answers, &mut answer).await?;
                continue;
            }
            Trip::Prepared(statement) => statement,
        };
        let mut arguments = MySqlArguments::default();
        for value in statement.values {
            bind(&mut arguments, value)?;
        }
        // Values are bound; the text varies by database and list only.
        let query = sqlx::query_with(AssertSqlSafe(statement.sql.into_owned()), arguments)
            .persistent(statement.way == Way::Kept);
        collect(connection.fetch_many(query), &mut answer).await?;
    }
    Ok(answer)
}

type Stream<'s> = std::pin::Pin<
    Box<
        dyn futures_util::Stream<Item = std::result::Result<Either<MySqlQueryResult, MySqlRow>, sqlx::Error>>
            + Send
            + 's,
    >,
>;

async fn collect(mut stream: Stream<'_>, answer: &mut Answer) -> Result<()> {
    let mut columns: Option<Columns> = None;
    while let Some(item) = stream.try_next().await.map_err(from_sqlx)? {
        match item {
            Either::Left(done) => {
                answer.written += done.rows_affected();
                columns = None;
            }
            Either::Right(row) => {
                let (names, kinds) = match &columns {
                    Some(known) => known,
                    None => columns.insert(columns_of(&row)?),
                };
                let values = kinds
                    .iter()
                    .enumerate()
                    .map(|(index, kind)| kind.read(&row, index));
                answer.rows.push(Row {
                    values: values.collect::<Result<_>>()?,
                    names: names.clone(),
                });
            }
        }
    }
    Ok(())
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Int,
    Unsigned,
    Text,
    Id,
}

impl Kind {
    fn read(self, row: &MySqlRow, index: usize) -> Result<Value> {
        if row.try_get_raw(index).map_err(from_sqlx)?.is_null() {
            return Ok(Value::Null);
        }
        Ok(match self {
            Self::Int => Value::Int(row.try_get(index).map_err(from_sqlx)?),
            Self::Unsigned => {
                let number: u64 = row.try_get(index).map_err(from_sqlx)?;
                Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
            }
            Self::Text => {
                let bytes: &[u8] = row.try_get_unchecked(index).map_err(from_sqlx)?;
                Value::Text(marked(bytes).into())
            }
            Self::Id => {
                let bytes: &[u8] = row.try_get_unchecked(index).map_err(from_sqlx)?;
                let id = Uuid::from_slice(bytes);
                Value::Id(id.map_err(|_| corrupt(format!("a task's id has {} bytes", bytes.len())))?)
            }
        })
    }
}

/// Names and kinds.
type Columns = (Arc<[Box<str>]>, Vec<Kind>);

fn columns_of(row: &MySqlRow) -> Result<Columns> {
    let names = row.columns().iter().map(|column| column.name().into()).collect();
    let kinds = row
        .columns()
        .iter()
        .map(|column| match column.type_info().name() {
            name if name.ends_with("UNSIGNED") => Kind::Unsigned,
            "BINARY" => Kind::Id,
            name if name.ends_with("INT") || name == "NULL" => Kind::Int,
            _ => Kind::Text,
        });
    Ok((names, kinds.collect()))
}

fn bind(arguments: &mut MySqlArguments, value: Value) -> Result<()> {
    let bound = match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Int(value) => arguments.add(value),
        Value::Text(value) => arguments.add(value),
        Value::Id(id) => arguments.add(id),
        Value::List(_) | Value::Column(_) => return Err(corrupt("a list was not prepared for MySQL")),
    };
    bound.map_err(|error| {
        Error::new(ErrorKind::Encoding, "a value cannot be bound").because(error.to_string())
    })
}

async fn send_raw(connection: &mut MySqlConnection, sql: String) -> Result<Vec<Row>> {
    let mut answer = Answer::default();
    collect(
        connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql))),
        &mut answer,
    )
    .await?;
    Ok(answer.rows)
}

/// How long a connection may take to show that it is alive.
const ALIVE_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

#[async_trait]
impl Link for MySqlConnection {
    async fn send(&mut self, statements: Vec<Statement>) -> Result<Answer> {
        send(self, statements).await
    }

    async fn send_raw(&mut self, sql: String) -> Result<Vec<Row>> {
        send_raw(self, sql).await
    }

    async fn is_alive(&mut self) -> bool {
        matches!(tokio::time::timeout(ALIVE_WITHIN, self.ping()).await, Ok(Ok(())))
    }

    async fn close(self: Box<Self>) {
        // One that does not close cleanly is closed by being dropped.
        let _ = tokio::time::timeout(ALIVE_WITHIN, sqlx::Connection::close(*self)).await;
    }
}

#[async_trait]
impl Link for sqlx::Transaction<'static, MySql> {
    async fn send(&mut self, statements: Vec<Statement>) -> Result<Answer> {
        send(self, statements).await
    }

    async fn send_raw(&mut self, sql: String) -> Result<Vec<Row>> {
        send_raw(self, sql).await
    }

    async fn is_alive(&mut self) -> bool {
        self.ping().await.is_ok()
    }

    async fn close(self: Box<Self>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_where_their_marks_stand() {
        let values = [Value::Int(7), Value::Null, Value::Int(-3), "4,5:1:2".into()];
        let sql = "SELECT ? FROM t WHERE a IN (?,?) AND b = ?";
        assert_eq!(
            text(&Statement::new(sql, values)),
            "SELECT 7 FROM t WHERE a IN (NULL,(-3)) AND b = '4,5:1:2'"
        );
        let sql = "SELECT 1";
        assert_eq!(text(&Statement::plain(sql)), sql);
    }
}
