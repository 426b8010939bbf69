//! PostgreSQL's connections behind the common face.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Connection as _, Either, Encode, Executor as _, PgConnection,
    Postgres, Row as _, Type, TypeInfo as _, ValueRef as _,
};
use task_core::{Error, ErrorKind, Result};
use uuid::Uuid;

use crate::sql::engine::Link;
use crate::sql::engine::server::{Trip, trips, write};
use crate::sql::error::{corrupt, from_sqlx};
use crate::sql::script::{Answer, Statement, Way};
use crate::sql::value::{Column, Row, Value};

/// NULL of whatever type its place has.
struct Null;

impl Type<Postgres> for Null {
    fn type_info() -> PgTypeInfo {
        // The server finds out.
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Null {
    fn encode_by_ref(
        &self,
        _buffer: &mut PgArgumentBuffer,
    ) -> std::result::Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        Ok(sqlx::encode::IsNull::Yes)
    }
}

/// A statement with its numbers written into it.
fn text(statement: &Statement) -> String {
    let mut text = String::with_capacity(statement.sql.len() + 64);
    let mut rest = &*statement.sql;
    while let Some((before, behind)) = rest.split_once('$') {
        text.push_str(before);
        let digits = behind.len()
            - behind
                .trim_start_matches(|letter: char| letter.is_ascii_digit())
                .len();
        let number: usize = behind[..digits].parse().unwrap_or(0);
        match statement.values.get(number.wrapping_sub(1)) {
            Some(value) => write(value, "::int8", &mut text),
            None => text.push_str(&rest[before.len()..=before.len() + digits]),
        }
        rest = &behind[digits..];
    }
    text.push_str(rest);
    text
}

async fn send(connection: &mut PgConnection, statements: Vec<Statement>) -> Result<Answer> {
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
        let mut arguments = PgArguments::default();
        for value in statement.values {
            bind(&mut arguments, value)?;
        }
        // Values are bound; the text varies by schema only.
        let query = sqlx::query_with(AssertSqlSafe(statement.sql.into_owned()), arguments)
            .persistent(statement.way == Way::Kept);
        collect(connection.fetch_many(query), &mut answer).await?;
    }
    Ok(answer)
}

type Stream<'s> = std::pin::Pin<
    Box<
        dyn futures_util::Stream<
                Item = std::result::Result<Either<sqlx::postgres::PgQueryResult, PgRow>, sqlx::Error>,
            > + Send
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
    SmallInt,
    Flag,
    Text,
    Id,
    Ints,
    Texts,
    Ids,
    /// What a function answers that answers nothing.
    Nothing,
}

impl Kind {
    fn read(self, row: &PgRow, index: usize) -> Result<Value> {
        if row.try_get_raw(index).map_err(from_sqlx)?.is_null() {
            return Ok(Value::Null);
        }
        Ok(match self {
            Self::Int => Value::Int(row.try_get(index).map_err(from_sqlx)?),
            Self::SmallInt => Value::Int(i64::from(row.try_get::<i32, _>(index).map_err(from_sqlx)?)),
            Self::Flag => Value::Int(i64::from(row.try_get::<bool, _>(index).map_err(from_sqlx)?)),
            Self::Text => Value::Text(Arc::from(row.try_get::<&str, _>(index).map_err(from_sqlx)?)),
            Self::Id => Value::Id(row.try_get::<Uuid, _>(index).map_err(from_sqlx)?),
            Self::Ints => Value::Column(Column::Ints(row.try_get(index).map_err(from_sqlx)?)),
            Self::Ids => Value::Column(Column::Ids(row.try_get(index).map_err(from_sqlx)?)),
            Self::Texts => {
                let texts: Vec<Option<String>> = row.try_get(index).map_err(from_sqlx)?;
                let texts = texts.into_iter().map(|text| text.map(Arc::from));
                Value::Column(Column::Texts(texts.collect()))
            }
            Self::Nothing => Value::Null,
        })
    }
}

/// Names and kinds.
type Columns = (Arc<[Box<str>]>, Vec<Kind>);

fn columns_of(row: &PgRow) -> Result<Columns> {
    let names = row.columns().iter().map(|column| column.name().into()).collect();
    let kinds = row.columns().iter().map(|column| {
        Ok(match column.type_info().name() {
            "INT8" => Kind::Int,
            "INT4" => Kind::SmallInt,
            "BOOL" => Kind::Flag,
            "TEXT" | "VARCHAR" | "NAME" => Kind::Text,
            "VOID" => Kind::Nothing,
            "UUID" => Kind::Id,
            "INT8[]" => Kind::Ints,
            "TEXT[]" => Kind::Texts,
            "UUID[]" => Kind::Ids,
            other => {
                return Err(corrupt(format!("column {} is of type {other}", column.name())));
            }
        })
    });
    Ok((names, kinds.collect::<Result<_>>()?))
}

fn bind(arguments: &mut PgArguments, value: Value) -> Result<()> {
    let bound = match value {
        Value::Null => arguments.add(Null),
        Value::Int(value) => arguments.add(value),
        Value::Text(value) => arguments.add(value),
        Value::Id(id) => arguments.add(id),
        Value::List(numbers) => arguments.add(numbers),
        Value::Column(Column::Ints(numbers)) => arguments.add(numbers),
        Value::Column(Column::Ids(ids)) => arguments.add(ids),
        Value::Column(Column::Texts(texts)) => {
            arguments.add(texts.iter().map(|text| text.as_deref()).collect::<Vec<_>>())
        }
    };
    bound.map_err(|error| {
        Error::new(ErrorKind::Encoding, "a value cannot be bound").because(error.to_string())
    })
}

async fn send_raw(connection: &mut PgConnection, sql: String) -> Result<Vec<Row>> {
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
impl Link for PgConnection {
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
impl Link for sqlx::Transaction<'static, Postgres> {
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
        let values = [
            Value::Int(7),
            vec![1, 2].into(),
            Value::Null,
            Value::Int(-3),
            "4,5:1:2".into(),
        ];
        let sql = "SELECT '$.a', $10, $1 FROM t WHERE a = ANY ($2) AND b = $3 AND c < $4 - $1 AND d = $5";
        assert_eq!(
            text(&Statement::new(sql, values)),
            "SELECT '$.a', $10, 7::int8 FROM t WHERE a = ANY ('{1,2}'::int8[]) AND b = NULL \
             AND c < (-3)::int8 - 7::int8 AND d = '4,5:1:2'"
        );
    }
}
