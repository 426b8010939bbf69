//! What the caller holds of an enqueued task.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Countdown;
use crate::{BackendAlias, Error, ErrorKind, Result, TaskRecord, TaskStatus, payload};

/// The longest pause between two looks of [`TaskResult::wait`] at a task that has not finished.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A snapshot of one enqueued task whose return value is a `T`.
///
/// It reads like the [`TaskRecord`] it holds, and does not change by itself:
/// [`TaskResult::refresh`] asks the backend again. Where the type of the task is not
/// known, `T` is [`serde_json::Value`].
pub struct TaskResult<T = Value> {
    record: TaskRecord,
    alias: Arc<BackendAlias>,
    /// The call that brought it was kept out by it.
    existed: bool,
    output: PhantomData<fn() -> T>,
}

impl<T> TaskResult<T> {
    /// The result of this record, looked up through this alias.
    pub fn new(record: TaskRecord, alias: Arc<BackendAlias>) -> Self {
        Self {
            record,
            alias,
            existed: false,
            output: PhantomData,
        }
    }

    /// For those who enqueue: the answer to the call with this id.
    #[must_use]
    pub fn of_call(mut self, id: crate::TaskId) -> Self {
        self.existed = self.record.id != id;
        self
    }

    /// Whether this is the task that the call found in the store instead of being enqueued, because
    /// the task is unique.
    pub fn existed(&self) -> bool {
        self.existed
    }

    /// The identity of the task.
    pub fn id(&self) -> crate::TaskId {
        self.record.id
    }

    /// Where the task was in its life at the last look.
    pub fn status(&self) -> TaskStatus {
        self.record.status
    }

    /// Whether it had ended at the last look.
    pub fn is_finished(&self) -> bool {
        self.record.status.is_finished()
    }

    /// The alias of the backend that keeps it.
    pub fn backend(&self) -> &str {
        self.alias.name()
    }

    /// Everything that was known at the last look.
    pub fn record(&self) -> &TaskRecord {
        &self.record
    }

    /// The arguments as JSON. A [`Value`] holds integers of 64 bits; of larger ones it keeps
    /// the nearest float. The text with every digit is in the record.
    ///
    /// # Errors
    /// [`ErrorKind::Encoding`] when the stored text is not JSON.
    pub fn arguments(&self) -> Result<Value> {
        serde_json::from_str(&self.record.arguments).map_err(|error| {
            let message = format!("the stored arguments of `{}` are not JSON", self.record.name);
            Error::new(ErrorKind::Encoding, message).because(error)
        })
    }

    /// Asks the backend again: status, times, attempts, errors, workers and return value.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it has been pruned, [`ErrorKind::Unsupported`] when the
    /// backend keeps no results.
    pub async fn refresh(&mut self) -> Result<()> {
        self.record = self.alias.record(self.record.id).await?;
        Ok(())
    }

    /// An error unless the task was successful at the last look.
    fn check_successful(&self) -> Result<()> {
        let record = &self.record;
        match record.status {
            TaskStatus::Successful => Ok(()),
            TaskStatus::Failed | TaskStatus::Canceled => {
                let reason = match record.errors.last() {
                    Some(error) => error.failure.to_string(),
                    None => "it was canceled before it ran".to_owned(),
                };
                Err(Error::new(
                    ErrorKind::TaskFailed,
                    format!(
                        "task {} `{}` is {}: {reason}",
                        record.id, record.name, record.status
                    ),
                ))
            }
            status => Err(Error::new(
                ErrorKind::NotFinished,
                format!(
                    "task {} `{}` has not finished yet, it is {status}",
                    record.id, record.name
                ),
            )
            .hint("`refresh` looks again, `wait` waits for the end")),
        }
    }
}

impl<T: DeserializeOwned> TaskResult<T> {
    /// What the task returned.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFinished`]: it had not ended at the last look.
    /// - [`ErrorKind::TaskFailed`]: it ended without a value; the message says why.
    /// - [`ErrorKind::Encoding`]: the stored value is no `T` (the type changed since).
    pub fn return_value(&self) -> Result<T> {
        self.check_successful()?;
        let value = self.record.return_value.as_deref().unwrap_or("null");
        payload::decode_result(value, &self.record.name)
    }

    /// Waits until the task has ended, at most this long, and returns what it returned.
    ///
    /// # Errors
    /// As [`TaskResult::return_value`] and [`TaskResult::refresh`];
    /// [`ErrorKind::TimedOut`] when it had not ended in time. A store that cannot be
    /// reached for a while is asked again.
    pub async fn wait(&mut self, timeout: Duration) -> Result<T> {
        let countdown = Countdown::new(timeout);
        let mut pause = Duration::from_millis(1);
        loop {
            match self.refresh().await {
                Ok(()) if self.is_finished() => return self.return_value(),
                Err(error) if !error.is_retryable() => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let left = countdown.left();
            if left.is_zero() {
                return Err(Error::new(
                    ErrorKind::TimedOut,
                    format!(
                        "task {} is still {} after {timeout:?}",
                        self.record.id, self.record.status
                    ),
                ));
            }
            self.alias.backend().changed(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl<T> Deref for TaskResult<T> {
    type Target = TaskRecord;

    fn deref(&self) -> &TaskRecord {
        &self.record
    }
}

impl<T> Clone for TaskResult<T> {
    fn clone(&self) -> Self {
        Self::new(self.record.clone(), self.alias.clone())
    }
}

impl<T> PartialEq for TaskResult<T> {
    /// By value: the same task, in the same backend, looked the same.
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record && self.alias.name() == other.alias.name()
    }
}

impl<T> fmt::Debug for TaskResult<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskResult")
            .field("id", &self.record.id)
            .field("name", &self.record.name)
            .field("status", &self.record.status)
            .field("backend", &self.alias.name())
            .finish_non_exhaustive()
    }
}
