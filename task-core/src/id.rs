//! The name of one enqueued task.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Error, ErrorKind};

/// The identity of one enqueued task, made before the task is stored.
///
/// A version 7 UUID, or version 8 for the tick of a schedule, written as 36 lower-case characters with dashes. Treat it as
/// opaque: the time inside it is the caller's and orders nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(Uuid);

impl TaskId {
    /// A new identity. Within a process later ones sort after earlier ones.
    #[expect(
        clippy::new_without_default,
        reason = "a default value that differs each time would surprise"
    )]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The identity of this tick of this schedule: the same wherever it is made. Begins with the
    /// milliseconds of the tick, as a version 7 UUID does with those of its making.
    pub(crate) fn of_tick(schedule: &str, tick: Timestamp) -> Self {
        let mut hash = Sha256::new();
        hash.update(tick.as_microsecond().to_be_bytes());
        hash.update(schedule);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        let ms = u64::try_from(tick.as_millisecond()).unwrap_or(0).to_be_bytes();
        bytes[..6].copy_from_slice(&ms[2..]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The sixteen bytes a backend may store.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The identity a backend stored as these bytes; `None` when they are not sixteen.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }

    /// Sixty-four bits that differ between tasks: a seed for jitter.
    pub(crate) fn seed(&self) -> u64 {
        self.0.as_u64_pair().1
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

impl FromStr for TaskId {
    type Err = Error;

    /// Reads an identity with or without dashes, in either case.
    fn from_str(text: &str) -> Result<Self, Error> {
        Uuid::try_parse(text.trim()).map(Self).map_err(|error| {
            Error::new(
                ErrorKind::NotFound,
                format!("`{}` is not a task id", shorten(text)),
            )
            .hint("a task id looks like 0198c5a2-7f3e-7abc-9def-0123456789ab")
            .because(error)
        })
    }
}

/// At most eighty characters of what a person typed, so that an error stays readable.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 {
        text.to_owned()
    } else {
        text.chars().take(79).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_sort_in_the_order_they_were_made() {
        let ids: Vec<_> = (0..1000).map(|_| TaskId::new()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_id_reads_back_from_its_text_in_any_spelling() {
        let id = TaskId::new();
        let text = id.to_string();
        assert_eq!(text.len(), 36);
        assert_eq!(text.parse::<TaskId>().expect("its own text"), id);
        assert_eq!(
            text.replace('-', "")
                .to_uppercase()
                .parse::<TaskId>()
                .expect("undashed"),
            id
        );
        assert_eq!(TaskId::from_bytes(id.as_bytes()), Some(id));
    }

    #[test]
    fn a_tick_of_a_schedule_has_one_id_and_sorts_by_its_time() {
        let tick = |seconds| Timestamp::from_second(seconds).expect("in range");
        let id = TaskId::of_tick("app::report", tick(1_800_000_000));
        assert_eq!(id, TaskId::of_tick("app::report", tick(1_800_000_000)));
        assert_eq!(id.0.get_version_num(), 8);
        assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
        assert_ne!(id, TaskId::of_tick("app::repor", tick(1_800_000_000)));
        let ids: Vec<_> = (0..1000)
            .map(|second| TaskId::of_tick("app::report", tick(1_800_000_000 + second)))
            .collect();
        assert!(ids.is_sorted() && ids[0] == id && ids[1] != id);
    }

    #[test]
    fn text_that_is_no_id_is_not_found_with_a_hint() {
        let error = "123".parse::<TaskId>().expect_err("too short");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.advice().is_some());
    }
}
