//! Arguments and return values as JSON text, and how large they may be.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::id::shorten;
use crate::json::{self, MAX_JSON_DEPTH, Misfit, Path, Reason, Refusal};
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
pub(crate) fn encode_arguments<T: Serialize>(arguments: &T, limits: Limits, task: &str) -> Result<String> {
    let text = json::write(arguments, limits.arguments_bytes)
        .map_err(|refusal| refused(&refusal, limits.arguments_bytes, task))?;
    check_object(&text, task).map(|()| text)
}

/// Refuses arguments that were written elsewhere, before anything is stored.
pub(crate) fn check_arguments(text: &str, limits: Limits, task: &str) -> Result<()> {
    if text.len() > limits.arguments_bytes {
        let (bytes, largest) = json::sizes(text);
        let refusal = Refusal {
            path: Path::default(),
            reason: Reason::TooLarge(bytes, largest),
        };
        return Err(refused(&refusal, limits.arguments_bytes, task));
    }
    json::check(text).map_err(|refusal| refused(&refusal, limits.arguments_bytes, task))?;
    check_object(text, task)
}

/// The same for who only asks whether the arguments fit: the failure an attempt would have.
pub(crate) fn check_text(text: &str, task: &str) -> Result<(), TaskFailure> {
    let limits = Limits {
        arguments_bytes: usize::MAX,
        ..Limits::DEFAULT
    };
    check_arguments(text, limits, task)
        .map_err(|error| TaskFailure::new(FailureKind::Arguments, error.message()))
}

fn check_object(text: &str, task: &str) -> Result<()> {
    if text.trim_ascii_start().starts_with('{') {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Encoding,
        format!("the arguments of `{task}` are JSON, but not an object"),
    )
    .hint("arguments are stored by name, as in {\"name\": \"Ada\"}"))
}

/// The sentence about arguments that cannot be stored, and what to do.
fn refused(refusal: &Refusal, limit: usize, task: &str) -> Error {
    let path = &refusal.path;
    let what = if path.is_empty() {
        format!("the object passed to `{task}`")
    } else {
        format!("argument `{path}` of `{task}`")
    };
    let kind = match refusal.reason {
        Reason::TooLarge(..) => ErrorKind::TooLarge,
        _ => ErrorKind::Encoding,
    };
    let message = match &refusal.reason {
        Reason::TooLarge(bytes, largest) => {
            let largest = largest
                .as_ref()
                .map(|(name, bytes)| format!("; the largest is `{}` with {bytes}", shorten(name)));
            format!(
                "the arguments of `{task}` are {bytes} bytes of JSON, the limit is {limit}{}",
                largest.unwrap_or_default()
            )
        }
        reason => said_of(&what, reason),
    };
    let error = Error::new(kind, message);
    match advice(&refusal.reason) {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

/// The failure of a task whose return value cannot be stored.
fn returned(refusal: &Refusal, limit: usize) -> TaskFailure {
    let path = &refusal.path;
    let what = if path.is_empty() {
        "the return value".to_owned()
    } else {
        format!("`{path}` of the return value")
    };
    let message = match &refusal.reason {
        Reason::TooLarge(bytes, largest) => {
            let largest = largest
                .as_ref()
                .map(|(name, bytes)| format!("; the largest part is `{}` with {bytes}", shorten(name)));
            format!(
                "the return value is {bytes} bytes of JSON, the limit is {limit} (`max_result_bytes` in \
                 tasks.toml){}",
                largest.unwrap_or_default()
            )
        }
        reason => said_of(&what, reason),
    };
    TaskFailure::new(FailureKind::ReturnValue, message)
}

/// The sentence about a value that cannot be stored.
pub(crate) fn said_of(what: &str, reason: &Reason) -> String {
    match reason {
        Reason::NotFinite(number) => format!("{what} is {number}, which JSON cannot hold"),
        Reason::Nul => format!("{what} contains the character U+0000, which not every store can keep"),
        Reason::NulInKey => {
            format!("{what} has a key with the character U+0000, which not every store can keep")
        }
        Reason::Key => format!("{what} has a key that is no text, integer, bool, char or plain variant"),
        Reason::TooDeep => format!("{what} is more than {MAX_JSON_DEPTH} levels deep"),
        Reason::Twice => format!("{what} is there twice"),
        Reason::TooLarge(..) => format!("{what} is too large"),
        Reason::Other(text) => format!("{what} cannot be stored as JSON: {text}"),
    }
}

/// What to do about a refused value.
fn advice(reason: &Reason) -> Option<&'static str> {
    match reason {
        Reason::NotFinite(_) => Some("take an `Option` and pass `None`, or pass the number as text"),
        Reason::Nul | Reason::NulInKey => Some("remove it, or pass bytes as text, such as base64"),
        Reason::Key => Some("pass a list of pairs instead of the map"),
        Reason::TooDeep => Some("pass a flatter value, or its inner part as text"),
        Reason::Twice => Some("the keys of an object differ as text"),
        Reason::TooLarge(..) => {
            Some("store the data elsewhere and pass its name, or raise `max_arguments_bytes` in tasks.toml")
        }
        Reason::Other(_) => None,
    }
}

/// Reads stored arguments; what does not fit is the attempt's failure.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, TaskFailure> {
    json::read(text).map_err(|Misfit { path, message }| {
        let message = if path.is_empty() {
            format!("{DO_NOT_FIT}{message}")
        } else {
            format!("argument `{path}`: {message}")
        };
        TaskFailure::new(FailureKind::Arguments, message).of_type(std::any::type_name::<serde_json::Error>())
    })
}

/// How the failure begins where no single argument is wrong.
const DO_NOT_FIT: &str = "the arguments do not fit the task: ";

/// Writes a return value of at most `limit` bytes; what cannot be stored is the attempt's failure.
pub fn encode<T: Serialize + ?Sized>(value: &T, limit: usize) -> Result<String, TaskFailure> {
    json::write(value, limit).map_err(|refusal| returned(&refusal, limit))
}

/// Refuses a return value that was written elsewhere.
pub(crate) fn check_result(text: String, limits: Limits) -> Result<String, TaskFailure> {
    if text.len() > limits.result_bytes {
        let (bytes, largest) = json::sizes(&text);
        let refusal = Refusal {
            path: Path::default(),
            reason: Reason::TooLarge(bytes, largest),
        };
        return Err(returned(&refusal, limits.result_bytes));
    }
    match json::check(&text) {
        Ok(()) => Ok(text),
        Err(refusal) => Err(returned(&refusal, limits.result_bytes)),
    }
}

/// Reads a stored return value as `T`.
pub(crate) fn decode_result<T: DeserializeOwned>(text: &str, task: &str) -> Result<T> {
    json::read(text).map_err(|Misfit { path, message }| {
        let place = if path.is_empty() {
            String::new()
        } else {
            format!("`{path}`: ")
        };
        Error::new(
            ErrorKind::Encoding,
            format!("the stored return value of `{task}` does not fit its type: {place}{message}"),
        )
    })
}
