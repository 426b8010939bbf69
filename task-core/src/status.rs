//! The states of a task and the one table of allowed changes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum TaskStatus {
    /// Waits for something it requires.
    Waiting,
    /// Waits to be run, for the first time or again, now or at its due time.
    Ready,
    /// Claimed by a worker.
    Running,
    /// Ended with a return value.
    Successful,
    /// Ended without one.
    Failed,
    /// Ended because somebody asked for it.
    Canceled,
}

impl TaskStatus {
    /// Every status, in the order of life.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Ready,
        Self::Running,
        Self::Successful,
        Self::Failed,
        Self::Canceled,
    ];

    /// The stored and printed name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Successful => "SUCCESSFUL",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
        }
    }

    /// One of Django's four names: `WAITING` is `READY` there, `CANCELED` is `FAILED`.
    pub const fn as_django(self) -> &'static str {
        match self {
            Self::Waiting | Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Successful => "SUCCESSFUL",
            Self::Failed | Self::Canceled => "FAILED",
        }
    }

    /// Whether the task has ended. Only an operator's retry leaves such a state.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Successful | Self::Failed | Self::Canceled)
    }

    /// The transition table: whether a task in this state may go to `next`.
    ///
    /// - `READY` is claimed (`RUNNING`), canceled, or failed unseen when its worker
    ///   was lost too often.
    /// - `RUNNING` ends in any final state or goes back to `READY`: a retry, a lost
    ///   worker, a worker that stopped.
    /// - `FAILED` and `CANCELED` go to `READY` when an operator retries them;
    ///   `SUCCESSFUL` is the end.
    pub const fn can_become(self, next: Self) -> bool {
        use TaskStatus::{Canceled, Failed, Ready, Running, Successful, Waiting};
        matches!(
            (self, next),
            (Waiting, Ready | Failed | Canceled)
                | (Ready, Running | Canceled)
                | (Running, Ready | Successful | Failed | Canceled)
                | (Failed | Canceled, Ready)
        )
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TaskStatus {
    type Err = Error;

    /// Reads a name in any case, the names older versions of django-tasks stored
    /// (`NEW`, `COMPLETE`, `SUCCEEDED`) included.
    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.trim().to_ascii_uppercase();
        match name.as_str() {
            "NEW" => return Ok(Self::Ready),
            "COMPLETE" | "SUCCEEDED" => return Ok(Self::Successful),
            "CANCELLED" => return Ok(Self::Canceled),
            _ => {}
        }
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == name)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidTask,
                    format!("`{}` is not a task status", crate::id::shorten(text)),
                )
                .hint(crate::suggest::one_of(
                    &name,
                    Self::ALL.iter().map(|status| status.as_str()),
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_from_its_name() {
        for status in TaskStatus::ALL {
            assert_eq!(
                status.as_str().parse::<TaskStatus>().expect("its own name"),
                status
            );
            assert_eq!(
                status
                    .as_str()
                    .to_lowercase()
                    .parse::<TaskStatus>()
                    .expect("lower case"),
                status
            );
        }
    }

    #[test]
    fn older_names_are_read() {
        assert_eq!("NEW".parse::<TaskStatus>().expect("older"), TaskStatus::Ready);
        assert_eq!(
            "COMPLETE".parse::<TaskStatus>().expect("older"),
            TaskStatus::Successful
        );
        assert_eq!(
            "SUCCEEDED".parse::<TaskStatus>().expect("older"),
            TaskStatus::Successful
        );
    }

    #[test]
    fn an_unknown_status_is_an_error_with_a_suggestion() {
        let error = "SUCESSFUL".parse::<TaskStatus>().expect_err("misspelt");
        assert!(
            error.to_string().contains("did you mean `SUCCESSFUL`?"),
            "{error}"
        );
    }

    #[test]
    fn a_finished_task_never_runs_without_being_ready_first() {
        for status in TaskStatus::ALL.into_iter().filter(|status| status.is_finished()) {
            for next in TaskStatus::ALL {
                assert!(
                    !status.can_become(next) || next == TaskStatus::Ready,
                    "{status} -> {next}"
                );
            }
        }
        assert!(!TaskStatus::Successful.can_become(TaskStatus::Ready));
    }

    #[test]
    fn django_sees_only_its_own_four_names() {
        for status in TaskStatus::ALL {
            assert!(["READY", "RUNNING", "SUCCESSFUL", "FAILED"].contains(&status.as_django()));
        }
    }
}
