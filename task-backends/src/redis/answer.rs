//! Reading what scripts answer.

use redis::Value;
use task_core::Result;

use super::error::corrupt;

pub(crate) fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        other => Err(corrupt(format!("an answer is no list: {other:?}"))),
    }
}

/// The next value of a list.
pub(crate) fn next(values: &mut impl Iterator<Item = Value>) -> Result<Value> {
    values.next().ok_or_else(|| corrupt("an answer is too short"))
}

pub(crate) fn bytes(value: Value) -> Result<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        other => Err(corrupt(format!("an answer is no text: {other:?}"))),
    }
}

pub(crate) fn text(value: Value) -> Result<String> {
    String::from_utf8(bytes(value)?).map_err(|_| corrupt("an answer is not UTF-8"))
}

/// A whole number, written as a number or as a text.
pub(crate) fn number(value: Value) -> Result<i64> {
    if let Value::Int(number) = value {
        return Ok(number);
    }
    let text = text(value)?;
    text.parse::<i64>()
        .or_else(|_| text.parse::<f64>().map(|number| number as i64))
        .map_err(|_| corrupt(format!("`{text}` is no number")))
}

/// The same, `None` for an empty text.
pub(crate) fn number_if_any(value: Value) -> Result<Option<i64>> {
    match value {
        Value::BulkString(bytes) if bytes.is_empty() => Ok(None),
        other => number(other).map(Some),
    }
}
