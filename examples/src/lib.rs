//! An application with four tasks. Its programs: `files` hands them in, `worker` runs them.
//!
//! - The tasks, below: one for each file, one for a folder, one that fails twice, one for later.
//! - What they do: `survey` reads a file, `language` guesses what it is written in, `walk`
//!   finds the files of a folder.

#![allow(clippy::needless_pass_by_value, reason = "a task owns its arguments")]

mod language;
mod path;
mod survey;
mod walk;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use task_core::{TaskContext, task};

pub use path::shown;
pub use survey::{FileFacts, SurveyError};
pub use walk::{Found, FoundFile, LeftOut, MOST_FILES, Reason, walk};

task_core::queues! { default, special }

/// Count what is in one file.
///
/// It is no async function because it waits for the disk: it runs on the pool for blocking work.
#[task(timeout = "10m")]
pub fn survey_file(path: PathBuf) -> Result<FileFacts, SurveyError> {
    survey::survey(&path)
}

/// Add up what is in a folder.
#[task(queue = "special", priority = 20)]
pub fn measure_folder(folder: PathBuf) -> Result<FolderSize, io::Error> {
    let found = walk(&folder)?;
    Ok(FolderSize {
        folders: found.folders,
        files: found.files.len() as u64,
        bytes: found.files.iter().map(|file| file.bytes).sum(),
    })
}

/// Say something, usually later.
#[task]
pub async fn remind(text: String) -> String {
    text
}

/// Fail a few times, then succeed and tell at which attempt.
#[task(takes_context, max_attempts = 3)]
pub async fn flaky(context: TaskContext, failures: u32) -> Result<u32, NotYet> {
    match context.attempt() {
        attempt if attempt > failures => Ok(attempt),
        _ => Err(NotYet),
    }
}

/// What `measure_folder` returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderSize {
    /// Folders, the uppermost included.
    pub folders: u64,
    /// Files in all of them.
    pub files: u64,
    /// Bytes in all files.
    pub bytes: u64,
}

/// What `flaky` fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotYet;

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too early")
    }
}

impl Error for NotYet {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_is_still_a_function() {
        let context = TaskContext::detached("flaky");
        assert_eq!(flaky(context.clone(), 2).await, Err(NotYet));
        assert_eq!(flaky(context, 0).await, Ok(1));
        assert_eq!(remind("tea".to_owned()).await, "tea");
    }
}
