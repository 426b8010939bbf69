//! Arguments and return values as JSON text, and how large they may be.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, FailureKind, Result, TaskFailure};

/// How large stored values may be, in bytes of JSON. Set by alias in `tasks.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The arguments of one task. Default 1 MiB.
    pub arguments_bytes: usize,
    /// The return value of one task. Default 1 MiB.
    pub result_bytes: usize,
}

impl Limits {
    /// One mebibyte each.
    pub const DEFAULT: Self = Self {
        arguments_bytes: 1 << 20,
        result_bytes: 1 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The arguments of a task as the JSON object that is stored.
pub(crate) fn encode_arguments<T: Serialize>(arguments: &T, task: &str) -> Result<String> {
    serde_json::to_string(arguments).map_err(|error| {
        Error::new(
            ErrorKind::Encoding,
            format!("the arguments of `{task}` cannot be written as JSON"),
        )
        .because(error)
    })
}

/// Refuses arguments over the limit before anything is written.
pub(crate) fn check_arguments(json: &str, limits: Limits, task: &str) -> Result<()> {
    if json.len() <= limits.arguments_bytes {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!(
            "the arguments of `{task}` are {} bytes of JSON, the limit is {}",
            json.len(),
            limits.arguments_bytes
        ),
    )
    .hint("store the data elsewhere and pass its name, or raise `max_arguments_bytes` in tasks.toml"))
}

/// Reads stored arguments; what does not fit is the attempt's failure.
pub fn decode<T: DeserializeOwned>(json: &str) -> Result<T, TaskFailure> {
    serde_json::from_str(json).map_err(|error| {
        TaskFailure::new(
            FailureKind::Arguments,
            format!("the arguments do not fit the task: {error}"),
        )
        .of_type(std::any::type_name_of_val(&error))
    })
}

/// Writes a return value; what cannot be written is the attempt's failure.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<String, TaskFailure> {
    serde_json::to_string(value).map_err(|error| {
        TaskFailure::new(
            FailureKind::ReturnValue,
            format!("the return value cannot be written as JSON: {error}"),
        )
        .of_type(std::any::type_name_of_val(&error))
    })
}

/// Refuses a return value over the limit.
pub(crate) fn check_result(json: String, limits: Limits) -> Result<String, TaskFailure> {
    if json.len() <= limits.result_bytes {
        return Ok(json);
    }
    Err(TaskFailure::new(
        FailureKind::ReturnValue,
        format!(
            "the return value is {} bytes of JSON, the limit is {} (`max_result_bytes` in tasks.toml)",
            json.len(),
            limits.result_bytes
        ),
    ))
}

/// Reads a stored return value as `T`.
pub(crate) fn decode_result<T: DeserializeOwned>(json: &str, task: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        Error::new(
            ErrorKind::Encoding,
            format!("the stored return value of `{task}` does not fit its type"),
        )
        .because(error)
    })
}
