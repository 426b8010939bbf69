//! What went wrong, told to the person who typed the command.

use std::fmt;

/// What a command of this crate returns.
pub type Result<T> = std::result::Result<T, Failure>;

/// A sentence about what happened and one about what to do now.
#[derive(Debug)]
pub struct Failure {
    happened: String,
    advice: String,
}

impl Failure {
    /// Builds a failure from what happened and what to do about it.
    pub fn new(happened: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            happened: happened.into(),
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}\n  {}",
            self.happened,
            self.advice.replace('\n', "\n  ")
        )
    }
}
