//! Tasks of which the store keeps one at a time.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::{Error, ErrorKind, Result, json};

/// For how long the task that holds a key keeps others of the same key out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum UniqueUntil {
    /// Until a worker takes it: while it runs, one more may wait.
    Started,
    /// Until it has ended, `SUCCESSFUL`, `FAILED` or `CANCELED`.
    #[default]
    Ended,
    /// For so long from when it was enqueued, whatever becomes of it, but not longer than the store keeps it.
    For(Duration),
}

/// What makes two calls of a task the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UniqueBy {
    /// That they are calls of the task.
    Task,
    /// All arguments.
    Arguments,
    /// These arguments.
    Fields(&'static [&'static str]),
}

/// Of which calls of a task the store keeps one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UniqueRule {
    /// What makes two calls the same.
    pub by: UniqueBy,
    /// For how long.
    pub until: UniqueUntil,
}

/// What a task on its way into a store must not share with one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unique {
    /// The first 16 bytes of a SHA-256 over the task's name, its queue and what makes it the
    /// same as another call.
    pub key: [u8; 16],
    /// For how long it keeps others out.
    pub until: UniqueUntil,
}

impl Unique {
    /// The key of this text among the tasks of one name in one queue.
    pub(crate) fn new(name: &str, queue: &str, text: &str, until: UniqueUntil) -> Self {
        let mut hash = Sha256::new();
        for part in [name, queue, text] {
            // The length first: no two lists of parts are one.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self { key, until }
    }
}

impl UniqueRule {
    /// What makes a call with these arguments, the text of a JSON object, the same as another.
    pub(crate) fn text(&self, arguments: &str) -> String {
        match self.by {
            UniqueBy::Task => String::new(),
            UniqueBy::Arguments => json::canonical(arguments, None),
            UniqueBy::Fields(fields) => json::canonical(arguments, Some(fields)),
        }
    }
}

/// Whether a time for which a key is held is one.
pub(crate) fn check(until: UniqueUntil) -> Result<()> {
    if until == UniqueUntil::For(Duration::ZERO) {
        return Err(Error::new(
            ErrorKind::InvalidTask,
            "a task cannot be unique for no time at all",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(by: UniqueBy) -> UniqueRule {
        UniqueRule {
            by,
            until: UniqueUntil::Ended,
        }
    }

    #[test]
    fn the_order_of_keys_and_blanks_make_no_difference_and_values_do() {
        let text = |arguments| rule(UniqueBy::Arguments).text(arguments);
        let one = text(r#"{"a":{"x":1,"y":[1, 2]},"b":"c d"}"#);
        assert_eq!(one, text(r#" {"b" : "c d", "a":{"y":[1,2],"x":1}}"#));
        for other in [
            r#"{"a":{"x":1,"y":[2,1]},"b":"c d"}"#,
            r#"{"a":{"x":1,"y":[1,2]},"b":"cd"}"#,
            r#"{"a":{"x":1.0,"y":[1,2]},"b":"c d"}"#,
            r#"{"a":{"x":1,"y":[1,2]},"b":"c d","c":null}"#,
        ] {
            assert_ne!(one, text(other), "{other}");
        }
    }

    #[test]
    fn chosen_fields_alone_decide() {
        let text = |arguments| rule(UniqueBy::Fields(&["user"])).text(arguments);
        let one = text(r#"{"user":1,"at":"noon"}"#);
        assert_eq!(one, text(r#"{"at":"midnight","user":1}"#));
        assert_ne!(one, text(r#"{"user":2,"at":"noon"}"#));
        assert_ne!(one, text(r#"{"at":"noon"}"#), "one that is missing is not null");
    }

    #[test]
    fn keys_of_other_tasks_and_queues_are_others() {
        let key = |name, queue, text| Unique::new(name, queue, text, UniqueUntil::Ended).key;
        let one = key("a", "b", "c");
        assert_eq!(one, key("a", "b", "c"));
        for other in [
            key("ab", "", "c"),
            key("a", "bc", ""),
            key("a", "b", "d"),
            key("a", "x", "c"),
        ] {
            assert_ne!(one, other);
        }
    }
}
