//! What the end of an attempt means: for the store, for the summary, for those who listen
//! to signals.

use std::time::Duration;

use task_core::{
    AttemptError, FailureKind, Finish, GivenBack, Outcome, TaskId, TaskRecord, TaskStatus, Timestamp, Verdict,
};

use crate::slots::Ended;
use crate::worker::Summary;

/// What becomes of an attempt that ended.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly always the large one, and only passed on once"
)]
pub(crate) enum Settled {
    /// The store is told; with the record to announce once it knows, where somebody
    /// listens and the task is at its end.
    Ended(Finish, Option<TaskRecord>),
    /// It did not come to an end of its own, and goes back.
    Interrupted(GivenBack),
}

/// Says what becomes of an attempt, by the task's stored policy, and counts it. What a worker
/// that makes way told to end goes back as it was, and so does what snoozes.
pub(crate) fn settle(ended: Ended, worker_id: &str, makes_way: bool, summary: &mut Summary) -> Settled {
    let Ended {
        running,
        outcome,
        ended_at,
        record,
        ..
    } = ended;
    let (attempt, last_attempt, started_at) = (running.attempt, running.last_attempt, running.started_at);
    let goes_back_as_it_was = makes_way && !running.policy.is_at_most_once();
    let id = running.lease.id();
    if let Err(failure) = &outcome {
        let snooze = match failure.verdict {
            Verdict::SnoozeMs(ms) => Some(Duration::from_millis(ms)),
            _ => None,
        };
        if failure.kind == FailureKind::Interrupted || snooze.is_some() {
            summary.given_back += 1;
            let as_it_was = goes_back_as_it_was || snooze.is_some();
            tracing::debug!(task = %id, ?snooze, "task goes back");
            return Settled::Interrupted(GivenBack {
                lease: running.lease,
                attempt,
                last_attempt,
                interrupted: (!as_it_was).then(|| (started_at, failure.clone())),
                snooze,
            });
        }
    }
    let outcome = Outcome::of(outcome, id, &running.policy, attempt, last_attempt);
    count(id, &outcome, summary);
    let record = record.and_then(|record| finished_record(record, &outcome, worker_id, ended_at));
    Settled::Ended(
        Finish {
            lease: running.lease,
            attempt,
            last_attempt,
            started_at,
            ended_at,
            outcome,
        },
        record,
    )
}

fn count(id: TaskId, outcome: &Outcome, summary: &mut Summary) {
    match outcome {
        Outcome::Succeeded(_) => {
            tracing::debug!(task = %id, "task succeeded");
            summary.succeeded += 1;
        }
        Outcome::Retry(failure, delay) => {
            tracing::warn!(task = %id, failure = ?failure.to_string(), ?delay, "task failed and runs again");
            summary.retried += 1;
        }
        Outcome::Failed(failure) => {
            tracing::error!(task = %id, failure = ?failure.to_string(), "task failed");
            summary.failed += 1;
        }
        Outcome::Canceled(_) => {
            tracing::info!(task = %id, "task canceled");
            summary.canceled += 1;
        }
    }
}

/// The record of a task that ended now; `None` when it runs again.
pub(crate) fn finished_record(
    mut record: TaskRecord,
    outcome: &Outcome,
    worker_id: &str,
    now: Timestamp,
) -> Option<TaskRecord> {
    let failure = match outcome {
        Outcome::Succeeded(value) => {
            record.status = TaskStatus::Successful;
            record.return_value = Some(value.clone());
            None
        }
        Outcome::Failed(failure) => {
            record.status = TaskStatus::Failed;
            Some(failure)
        }
        Outcome::Canceled(failure) => {
            record.status = TaskStatus::Canceled;
            Some(failure)
        }
        Outcome::Retry(..) => return None,
    };
    record.finished_at = Some(now);
    record.errors.extend(failure.map(|failure| AttemptError {
        attempt: record.attempts,
        worker_id: worker_id.to_owned(),
        started_at: record.last_attempted_at.unwrap_or(now),
        ended_at: now,
        failure: failure.clone(),
    }));
    Some(record)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use task_core::{CancelToken, Lease, RetryPolicy, TaskFailure};

    use super::*;
    use crate::slots::Running;

    /// What becomes of a first attempt that ended so, of a task that may lose so many workers.
    fn settled(kind: FailureKind, max_lost: u32, makes_way: bool) -> Settled {
        settled_with(TaskFailure::new(kind, "it did not end well"), max_lost, makes_way)
    }

    fn settled_with(failure: TaskFailure, max_lost: u32, makes_way: bool) -> Settled {
        let policy = RetryPolicy {
            max_lost,
            ..RetryPolicy::DEFAULT
        };
        let running = Running {
            lease: Lease::new(TaskId::new(), 1, 0, [0; 3]),
            attempt: 1,
            last_attempt: 1,
            policy,
            started_at: Timestamp::UNIX_EPOCH,
            started: Instant::now(),
            cancellation: CancelToken::new(),
        };
        let ended = Ended {
            running,
            name: None,
            took: Duration::ZERO,
            outcome: Err(failure),
            ended_at: Timestamp::UNIX_EPOCH,
            record: None,
        };
        settle(ended, "worker", makes_way, &mut Summary::default())
    }

    #[test]
    fn what_was_interrupted_goes_back_with_the_attempt_in_its_history() {
        let Settled::Interrupted(task) = settled(FailureKind::Interrupted, 3, false) else {
            panic!("it ended");
        };
        assert!(task.interrupted.is_some());
    }

    #[test]
    fn what_was_told_to_end_by_a_worker_that_makes_way_goes_back_as_it_was() {
        let Settled::Interrupted(task) = settled(FailureKind::Interrupted, 3, true) else {
            panic!("it ended");
        };
        assert!(task.interrupted.is_none());
    }

    #[test]
    fn what_snoozes_goes_back_as_it_was() {
        let failure = TaskFailure::new(FailureKind::Error, "not yet").with_verdict(Verdict::SnoozeMs(70));
        let Settled::Interrupted(task) = settled_with(failure, 3, false) else {
            panic!("it ended");
        };
        assert!(task.interrupted.is_none());
        assert_eq!(task.snooze, Some(Duration::from_millis(70)));
    }

    #[test]
    fn everything_else_is_the_end() {
        for (kind, max_lost, makes_way) in [
            (FailureKind::Canceled, 3, false),
            // A worker that makes way says so: this one was canceled by somebody.
            (FailureKind::Canceled, 0, true),
            (FailureKind::Canceled, 3, true),
            (FailureKind::Error, 3, true),
            (FailureKind::Error, 3, false),
        ] {
            let settled = settled(kind, max_lost, makes_way);
            assert!(
                matches!(settled, Settled::Ended(..)),
                "{kind:?} {max_lost} {makes_way}"
            );
        }
    }
}
