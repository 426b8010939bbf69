//! Lists that go to the store and come from it as one JSON text.

use serde::Deserialize;
use task_core::Result;

use super::error::corrupt;

/// A count as the store takes it.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A list of numbers for `json_each`.
pub(crate) fn json(numbers: &[i64]) -> Result<String> {
    serde_json::to_string(numbers).map_err(|error| corrupt(format!("a list of numbers: {error}")))
}

/// JSON that the store itself made.
pub(crate) fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| corrupt("a list the store made cannot be read").because(error))
}
