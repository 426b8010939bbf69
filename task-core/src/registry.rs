//! Which tasks this program can run, by stored name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use crate::{Error, ErrorKind, Result, TaskEntry};

/// What `#[task]` submits; collected before `main` runs.
pub struct Registered(pub &'static TaskEntry);

inventory::collect!(Registered);

/// The tasks a program can run: those `#[task]` registered, or those added by hand.
///
/// A crate that the program's source never mentions is not linked, and its tasks are
/// then missing here: `worker! { tasks = [..] }` mentions them.
#[derive(Debug, Default, Clone)]
pub struct Registry {
    by_name: HashMap<&'static str, TaskEntry>,
    /// Where each task stands, first seen first, to name both places of a duplicate.
    entries: BTreeMap<&'static str, TaskEntry>,
}

impl Registry {
    /// An empty registry, for explicit registration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every task that `#[task]` registered in the crates this program links.
    ///
    /// # Errors
    /// [`ErrorKind::Registry`] when two of them have one name or alias, naming both places.
    pub fn collected() -> Result<Self> {
        let mut registry = Self::new();
        let mut all: Vec<&TaskEntry> = inventory::iter::<Registered>()
            .map(|submitted| submitted.0)
            .collect();
        // Constructors run in no particular order; errors and listings should.
        all.sort_by_key(|entry| (entry.name, entry.file, entry.line));
        for entry in all {
            registry.insert(*entry)?;
        }
        Ok(registry)
    }

    /// The registry of this process, collected once.
    ///
    /// # Errors
    /// As [`Registry::collected`].
    pub fn global() -> Result<&'static Self> {
        static GLOBAL: OnceLock<Result<Registry, String>> = OnceLock::new();
        GLOBAL
            .get_or_init(|| Self::collected().map_err(|error| error.message().to_owned()))
            .as_ref()
            .map_err(|message| Error::new(ErrorKind::Registry, message.clone()))
    }

    /// Adds the task of this type, for programs that register explicitly.
    ///
    /// # Errors
    /// [`ErrorKind::Registry`] when the name is taken by another task.
    pub fn add<T: crate::Task>(&mut self) -> Result<&mut Self> {
        self.insert(*T::ENTRY)?;
        Ok(self)
    }

    /// Adds one task. Adding the same one again changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Registry`] when its name or an alias is taken, naming both places.
    pub fn insert(&mut self, entry: TaskEntry) -> Result<()> {
        let names = std::iter::once(entry.name).chain(entry.aliases.iter().copied());
        for name in names.clone() {
            if let Some(other) = self.by_name.get(name)
                && (other.file, other.line, other.name) != (entry.file, entry.line, entry.name)
            {
                return Err(Error::new(
                    ErrorKind::Registry,
                    format!(
                        "two tasks answer to `{name}`: {}:{} and {}:{}",
                        other.file, other.line, entry.file, entry.line
                    ),
                )
                .hint("give one of them another name with #[task(name = \"..\")]"));
            }
        }
        for name in names {
            self.by_name.insert(name, entry);
        }
        self.entries.insert(entry.name, entry);
        Ok(())
    }

    /// The task with this name or alias.
    pub fn find(&self, name: &str) -> Option<&TaskEntry> {
        self.by_name.get(name)
    }

    /// The task with this name or alias, or an error with the nearest names.
    ///
    /// # Errors
    /// [`ErrorKind::Registry`] when no task answers to the name.
    pub fn require(&self, name: &str) -> Result<&TaskEntry> {
        self.find(name).ok_or_else(|| {
            let nearest = crate::suggest::one_of(name, self.entries.keys().copied());
            Error::new(
                ErrorKind::Registry,
                format!(
                    "no task `{}` is registered in this program",
                    crate::id::shorten(name)
                ),
            )
            .hint(format!(
                "{nearest}. Is its crate named in `worker! {{ tasks = [..] }}`?"
            ))
        })
    }

    /// All tasks, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &TaskEntry> {
        self.entries.values()
    }

    /// How many tasks there are; aliases do not count.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no task at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many tasks each crate brought, sorted by crate.
    pub fn by_crate(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.iter() {
            *counts.entry(entry.crate_name()).or_insert(0) += 1;
        }
        counts
    }

    /// Every name and alias: what a worker may claim.
    pub fn names(&self) -> HashSet<String> {
        self.by_name.keys().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::__private::failed;
    use crate::{FailureKind, TaskFailure};

    const fn entry(name: &'static str, line: u32) -> TaskEntry {
        TaskEntry::new(name, |_, _| {
            failed(TaskFailure::new(FailureKind::Error, "never run"))
        })
        .located("app::mail", "app/src/mail.rs", line)
    }

    #[test]
    fn two_tasks_of_one_name_are_refused_naming_both_places() {
        let mut registry = Registry::new();
        registry.insert(entry("app::send", 3)).expect("free");
        let error = registry.insert(entry("app::send", 9)).expect_err("taken");
        assert_eq!(error.kind(), ErrorKind::Registry);
        assert!(
            error
                .message()
                .contains("app/src/mail.rs:3 and app/src/mail.rs:9"),
            "{error}"
        );
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn an_alias_finds_the_task_and_collides_like_a_name() {
        let mut registry = Registry::new();
        registry
            .insert(entry("app::send", 3).aliased(&["app::post"]))
            .expect("free");
        assert_eq!(registry.find("app::post").map(TaskEntry::name), Some("app::send"));
        registry
            .insert(entry("app::post", 9))
            .expect_err("taken by an alias");
        assert!(registry.names().contains("app::post"));
        assert_eq!(registry.by_crate().get("app"), Some(&1));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one() {
        let mut registry = Registry::new();
        registry.insert(entry("app::send", 3)).expect("free");
        let error = registry.require("app::sned").expect_err("unknown");
        assert!(error.to_string().contains("did you mean `app::send`?"), "{error}");
    }

    #[test]
    fn adding_the_same_task_twice_changes_nothing() {
        let mut registry = Registry::new();
        registry.insert(entry("app::send", 3)).expect("free");
        registry.insert(entry("app::send", 3)).expect("the same");
        assert_eq!(registry.len(), 1);
    }
}
