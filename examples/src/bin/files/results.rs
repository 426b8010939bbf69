//! Reading everything back by id.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use examples::{FileFacts, FolderSize, flaky, measure_folder, remind, survey_file};
use task_core::{TaskFailure, TaskId, TaskResult, TaskStatus, Timestamp};

use crate::Result;
use crate::orders::Orders;

/// How many look at a time.
const READERS: usize = 8;

/// What came of all orders.
pub(crate) struct Results {
    /// One for each file, in the order of the files.
    pub(crate) surveys: Vec<Surveyed>,
    /// The file that is not UTF-8.
    pub(crate) not_utf8: (PathBuf, TaskResult<FileFacts>),
    /// The size of the folder.
    pub(crate) measure: TaskResult<FolderSize>,
    /// The one that failed twice.
    pub(crate) flaky: TaskResult<u32>,
    /// The one that was due later.
    pub(crate) remind: TaskResult<String>,
}

/// What came of one file.
pub(crate) struct Surveyed {
    /// The file.
    pub(crate) path: PathBuf,
    /// The queue its task waited in.
    pub(crate) queue: Arc<str>,
    /// The priority it had there.
    pub(crate) priority: i32,
    /// What is known about it, or why nothing is.
    pub(crate) outcome: Result<FileFacts, Trouble>,
    /// When its first attempt began and its last one ended.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
}

/// Why nothing is known about a file.
pub(crate) struct Trouble {
    /// Its task.
    pub(crate) id: TaskId,
    /// How the task ended.
    pub(crate) status: TaskStatus,
    /// What its last attempt ended with.
    pub(crate) failure: Option<TaskFailure>,
}

/// How long it took to read so many results.
pub(crate) struct ReadBack {
    /// How many.
    pub(crate) tasks: u64,
    /// How long.
    pub(crate) took: Duration,
}

impl Results {
    /// Reads them, several at a time.
    pub(crate) async fn read(orders: &Orders) -> Result<Self> {
        let share = orders.surveys.len().div_ceil(READERS).max(1);
        let readers: Vec<_> = orders
            .surveys
            .chunks(share)
            .map(|share| tokio::spawn(read_surveys(share.to_vec())))
            .collect();
        let mut surveys = Vec::with_capacity(orders.surveys.len());
        for reader in readers {
            surveys.extend(reader.await??);
        }
        let (path, id) = &orders.not_utf8;
        Ok(Self {
            surveys,
            not_utf8: (path.clone(), survey_file::get_result(*id).await?),
            measure: measure_folder::get_result(orders.measure).await?,
            flaky: flaky::get_result(orders.flaky).await?,
            remind: remind::get_result(orders.remind).await?,
        })
    }

    /// Tasks that are worth a look: their attempts failed.
    pub(crate) fn noteworthy(&self) -> [TaskId; 2] {
        [self.flaky.id(), self.not_utf8.1.id()]
    }
}

async fn read_surveys(share: Vec<(PathBuf, TaskId)>) -> task_core::Result<Vec<Surveyed>> {
    let mut surveys = Vec::with_capacity(share.len());
    for (path, id) in share {
        let result = survey_file::get_result(id).await?;
        let outcome = match result.status() {
            TaskStatus::Successful => Ok(result.return_value()?),
            status => Err(Trouble {
                id,
                status,
                failure: last_failure(&result),
            }),
        };
        surveys.push(Surveyed {
            path,
            queue: result.queue.clone(),
            priority: result.priority,
            outcome,
            times: result.started_at.zip(result.finished_at),
        });
    }
    Ok(surveys)
}

/// What the last attempt ended with, if it ended badly.
pub(crate) fn last_failure<T>(result: &TaskResult<T>) -> Option<TaskFailure> {
    result.errors.last().map(|error| error.failure.clone())
}

/// What a failure said, with its sources and without the names of Rust types.
pub(crate) fn said(failure: &TaskFailure) -> String {
    let sources = failure.sources.iter().map(String::as_str);
    let words: Vec<&str> = std::iter::once(&*failure.message).chain(sources).collect();
    words.join(": ")
}
