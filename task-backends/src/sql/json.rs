//! JSON that the store keeps or makes, and numbers as it takes them.

use serde::Deserialize;
use task_core::Result;

use super::error::corrupt;

/// A count as the store takes it.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// JSON that the store itself made.
pub(crate) fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| corrupt("JSON of the store cannot be read").because(error))
}
