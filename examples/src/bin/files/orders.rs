//! What is handed in: a task for each file, and four of their own kind.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use examples::{FoundFile, flaky, measure_folder, queues, remind, survey_file};
use task_core::{Backoff, TaskCall, TaskId, TaskOptions, priority, run_after};

/// How many of the largest files go first: what takes longest should not begin last.
const LARGEST: usize = 10;

/// How long after being handed in the reminder is due.
const LATER: Duration = Duration::from_secs(3);

/// How often the flaky task fails before it succeeds.
const FAILURES: u32 = 2;

/// The ids of everything that was handed in.
pub(crate) struct Orders {
    /// One for each file.
    pub(crate) surveys: Vec<(PathBuf, TaskId)>,
    /// Surveys the file that is not UTF-8.
    pub(crate) not_utf8: (PathBuf, TaskId),
    /// Adds up the folder.
    pub(crate) measure: TaskId,
    /// Fails twice.
    pub(crate) flaky: TaskId,
    /// Is due later.
    pub(crate) remind: TaskId,
}

impl Orders {
    /// Hands in tasks for these files, which were found in this folder.
    pub(crate) async fn enqueue(
        folder: &Path,
        files: Vec<FoundFile>,
        not_utf8: PathBuf,
    ) -> task_core::Result<Self> {
        // Once it is due it goes before all that still waits.
        let later = run_after(LATER).priority(100);
        let remind = remind::new("Time for tea").using(later).enqueue().await?;
        let patience = TaskOptions::default()
            .backoff(Backoff::exponential(Duration::from_millis(200), Duration::from_secs(1)).jitter());
        let flaky = flaky::new(FAILURES).using(patience).enqueue().await?;
        let measure = measure_folder::enqueue(folder).await?;
        let failing = survey_file::enqueue(&*not_utf8).await?;

        let results = survey_file::enqueue_many(surveys(&files)).await?;
        let ids = results.iter().map(|result| result.id());
        Ok(Self {
            surveys: files.into_iter().map(|file| file.path).zip(ids).collect(),
            not_utf8: (not_utf8, failing.id()),
            measure: measure.id(),
            flaky: flaky.id(),
            remind: remind.id(),
        })
    }

    /// How many tasks these are.
    pub(crate) fn total(&self) -> u64 {
        self.surveys.len() as u64 + 4
    }

    /// How many attempts they take together.
    pub(crate) fn attempts(&self) -> u64 {
        self.total() + u64::from(FAILURES)
    }
}

/// A call for each file; the largest ones go first, in the other queue.
fn surveys(files: &[FoundFile]) -> Vec<TaskCall<survey_file>> {
    let mut by_size: Vec<&FoundFile> = files.iter().collect();
    by_size.sort_by_key(|file| Reverse(file.bytes));
    let largest: BTreeSet<&Path> = by_size.iter().take(LARGEST).map(|file| &*file.path).collect();
    let call = |file: &FoundFile| {
        let call = survey_file::new(&*file.path);
        if largest.contains(&*file.path) {
            call.using(priority(50).queue(queues::SPECIAL))
        } else {
            call
        }
    };
    files.iter().map(call).collect()
}
