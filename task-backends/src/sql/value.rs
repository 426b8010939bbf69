//! Values on their way to a store, and rows on their way back: the same for every engine.

use std::sync::Arc;

use task_core::{Result, TaskId};
use uuid::Uuid;

use super::error::corrupt;

/// A value for a `?`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(Arc<str>),
    Id(Uuid),
    /// The numbers of a `(?*)`, as in `seq IN (?*)`.
    List(Vec<i64>),
    /// A column of many rows, for engines that take or give rows by columns.
    Column(Column),
}

/// One column of many rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Column {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<Arc<str>>>),
    Ids(Vec<Uuid>),
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

impl From<TaskId> for Value {
    fn from(value: TaskId) -> Self {
        Self::Id(Uuid::from_bytes(*value.as_bytes()))
    }
}

impl From<Vec<i64>> for Value {
    fn from(value: Vec<i64>) -> Self {
        Self::List(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) names: Arc<[Box<str>]>,
    pub(crate) values: Vec<Value>,
}

impl Row {
    fn get(&self, column: &str) -> Result<&Value> {
        let index = self.names.iter().position(|name| **name == *column);
        index
            .and_then(|index| self.values.get(index))
            .ok_or_else(|| corrupt(format!("an answer of the store has no column `{column}`")))
    }

    /// A whole number that may be missing.
    pub(crate) fn maybe_int(&self, column: &str) -> Result<Option<i64>> {
        match self.get(column)? {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(*number)),
            other => Err(wrong(column, other, "a number")),
        }
    }

    /// A whole number.
    pub(crate) fn int(&self, column: &str) -> Result<i64> {
        self.maybe_int(column)?.ok_or_else(|| missing(column))
    }

    /// A whole number of a smaller type.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        let number = self.int(column)?;
        T::try_from(number).map_err(|_| corrupt(format!("column {column} has the impossible value {number}")))
    }

    /// A truth value that may be missing.
    pub(crate) fn maybe_flag(&self, column: &str) -> Result<Option<bool>> {
        Ok(self.maybe_int(column)?.map(|number| number != 0))
    }

    /// A truth value.
    pub(crate) fn flag(&self, column: &str) -> Result<bool> {
        self.maybe_flag(column)?.ok_or_else(|| missing(column))
    }

    /// A text that may be missing.
    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<Arc<str>>> {
        match self.get(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.clone())),
            other => Err(wrong(column, other, "a text")),
        }
    }

    /// A text.
    pub(crate) fn text(&self, column: &str) -> Result<Arc<str>> {
        self.maybe_text(column)?.ok_or_else(|| missing(column))
    }

    /// A column of many rows; nothing when it is empty in all of them.
    pub(crate) fn column(&self, column: &str) -> Result<Option<&Column>> {
        match self.get(column)? {
            Value::Null => Ok(None),
            Value::Column(values) => Ok(Some(values)),
            other => Err(wrong(column, other, "a column of many rows")),
        }
    }

    /// The id of a task.
    pub(crate) fn id(&self, column: &str) -> Result<TaskId> {
        match self.get(column)? {
            Value::Id(id) => TaskId::from_bytes(id.as_bytes()).ok_or_else(|| missing(column)),
            other => Err(wrong(column, other, "a task's id")),
        }
    }
}

fn wrong(column: &str, value: &Value, expected: &str) -> task_core::Error {
    corrupt(format!("column {column} is {value:?}, not {expected}"))
}

fn missing(column: &str) -> task_core::Error {
    corrupt(format!("column {column} is empty"))
}
