//! Whether a run went as it should.

use std::fmt::Debug;

use task_core::{FailureKind, TaskResult, TaskStatus};

use crate::results::{self, Results, Surveyed};

/// Everything that was not as expected; nothing if all is well.
///
/// Files that cannot be surveyed are no surprise: the report lists them.
pub(crate) fn complaints(results: &Results) -> Vec<String> {
    let mut complaints = Vec::new();
    let (_, not_utf8) = &results.not_utf8;
    let said = results::last_failure(not_utf8).map(|failure| results::said(&failure));
    if not_utf8.status() != TaskStatus::Failed || !said.is_some_and(|said| said.contains("is not UTF-8")) {
        complaints.push(format!("{not_utf8:?} did not fail as a file that is not UTF-8"));
    }
    complaints.extend(must_succeed(&results.measure, 1));
    complaints.extend(must_succeed(&results.flaky, 3));
    complaints.extend(must_succeed(&results.remind, 1));
    if results.remind.started_at < results.remind.run_after {
        complaints.push(format!("{:?} ran before it was due", results.remind));
    }
    let strange: Vec<String> = results.surveys.iter().filter_map(strange).collect();
    if let Some(first) = strange.first() {
        let count = strange.len();
        complaints.push(format!(
            "{count} surveys ended in another way than surveys do; the first: {first}"
        ));
    }
    complaints
}

fn must_succeed<T: Debug>(result: &TaskResult<T>, attempts: u32) -> Option<String> {
    let is_fine = result.status() == TaskStatus::Successful && result.attempts == attempts;
    (!is_fine).then(|| {
        let had = result.attempts;
        format!("{result:?} should have succeeded at attempt {attempts}, it had {had}")
    })
}

/// What happened to a file's task if it neither succeeded nor returned an error of its own.
fn strange(survey: &Surveyed) -> Option<String> {
    let trouble = survey.outcome.as_ref().err()?;
    match &trouble.failure {
        Some(failure) if failure.kind == FailureKind::Error => None,
        Some(failure) => Some(format!("{} is {}: {failure}", trouble.id, trouble.status)),
        None => Some(format!("{} is {}", trouble.id, trouble.status)),
    }
}
