//! What a test asks about enqueued tasks: the calls of one task, with their arguments.

use std::fmt::{self, Write as _};
use std::slice;
use std::sync::Arc;
use std::vec;

use serde_json::Value;
use task_core::{Task, TaskRecord};

/// How many tasks a failure message lists before it only counts.
const LISTED: usize = 20;

/// One call of the task `T` as it was enqueued.
#[derive(Debug, Clone, PartialEq)]
pub struct EnqueuedCall<T> {
    /// What it was called with.
    pub arguments: T,
    /// Everything else: queue, priority, due time, id.
    pub record: TaskRecord,
}

/// The calls of one task that a [`DummyBackend`](crate::DummyBackend) collected, in the order in
/// which they were enqueued. A snapshot: what is enqueued later does not show in it.
///
/// ```
/// use std::sync::Arc;
/// use task_backends::DummyBackend;
/// use task_core::{Backends, priority, task};
///
/// #[task]
/// async fn greet(name: String) -> String {
///     format!("Hello, {name}!")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> task_core::Result<()> {
/// let dummy = DummyBackend::new();
/// let backends = Backends::single(Arc::new(dummy.clone()));
/// greet::new("Ada").using(priority(10)).enqueue_on(&backends).await?;
/// greet::new("Bob").enqueue_on(&backends).await?;
///
/// dummy.enqueued::<greet>().assert_count(2);
/// let call = dummy.enqueued::<greet>().with(|call| call.name == "Ada").one();
/// assert_eq!(call.record.priority, 10);
/// # Ok(())
/// # }
/// ```
#[must_use = "a query asserts nothing by itself"]
pub struct Enqueued<T> {
    calls: Vec<EnqueuedCall<T>>,
    /// Everything the backend had, to show when an assertion fails.
    all: Arc<[TaskRecord]>,
    /// What was asked for beside the task, in words.
    conditions: Vec<String>,
}

impl<T: Task> Enqueued<T> {
    /// # Panics
    /// When stored arguments of the task cannot be read as its arguments.
    #[track_caller]
    pub(super) fn of(all: Vec<TaskRecord>) -> Self {
        let mut calls = Vec::new();
        for record in all.iter().filter(|record| is_of::<T>(record)) {
            match serde_json::from_str(&record.arguments) {
                Ok(arguments) => calls.push(EnqueuedCall {
                    arguments,
                    record: record.clone(),
                }),
                Err(error) => panic!(
                    "the arguments of task {} do not fit `{}`: {error}: {}",
                    record.id,
                    T::ENTRY.name(),
                    record.arguments
                ),
            }
        }
        Self {
            calls,
            all: all.into(),
            conditions: Vec::new(),
        }
    }

    /// Only calls with arguments like these.
    pub fn with(self, condition: impl Fn(&T) -> bool) -> Self {
        self.keep("with such arguments".to_owned(), |call| {
            condition(&call.arguments)
        })
    }

    /// Only calls with a record like this: due time, metadata, state, anything else.
    pub fn with_record(self, condition: impl Fn(&TaskRecord) -> bool) -> Self {
        self.keep("with such a record".to_owned(), |call| condition(&call.record))
    }

    /// Only calls in this queue: a constant of [`queues!`](task_core::queues) or a name.
    pub fn on_queue(self, queue: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        let queue = queue.into();
        self.keep(format!("on queue `{queue}`"), |call| *call.record.queue == *queue)
    }

    /// Only calls with this priority.
    pub fn with_priority(self, priority: i32) -> Self {
        self.keep(format!("with priority {priority}"), |call| {
            call.record.priority == priority
        })
    }

    fn keep(mut self, words: String, condition: impl Fn(&EnqueuedCall<T>) -> bool) -> Self {
        self.calls.retain(condition);
        self.conditions.push(words);
        self
    }

    /// How many calls there are.
    pub fn count(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The calls, in the order in which they were enqueued.
    pub fn iter(&self) -> slice::Iter<'_, EnqueuedCall<T>> {
        self.calls.iter()
    }

    /// Panics unless there are so many calls, with a list of what was enqueued instead.
    ///
    /// # Panics
    /// As it says.
    #[track_caller]
    pub fn assert_count(&self, expected: usize) {
        assert!(self.count() == expected, "{}", self.told(expected));
    }

    /// Panics if there is any call, with a list of what was enqueued.
    ///
    /// # Panics
    /// As it says.
    #[track_caller]
    pub fn assert_none(&self) {
        self.assert_count(0);
    }

    /// The only call there is.
    ///
    /// # Panics
    /// When there is none or more than one, with a list of what was enqueued instead.
    #[track_caller]
    #[must_use = "`assert_count(1)` asserts without returning the call"]
    pub fn one(mut self) -> EnqueuedCall<T> {
        self.assert_count(1);
        self.calls.remove(0)
    }

    /// What was expected and what was there.
    pub(super) fn told(&self, expected: usize) -> String {
        let calls = if expected == 1 { "call" } else { "calls" };
        let mut text = format!("expected {expected} {calls} of `{}`", T::ENTRY.name());
        for condition in &self.conditions {
            let _ = write!(text, " {condition}");
        }
        let _ = write!(text, ", found {}", self.count());
        text.push_str(&list(&self.all));
        text
    }
}

impl<T> IntoIterator for Enqueued<T> {
    type Item = EnqueuedCall<T>;
    type IntoIter = vec::IntoIter<EnqueuedCall<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.calls.into_iter()
    }
}

impl<'e, T> IntoIterator for &'e Enqueued<T> {
    type Item = &'e EnqueuedCall<T>;
    type IntoIter = slice::Iter<'e, EnqueuedCall<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.calls.iter()
    }
}

impl<T: Task> fmt::Debug for Enqueued<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.calls.iter().map(|call| line(&call.record));
        write!(f, "Enqueued<{}>", T::ENTRY.name())?;
        f.debug_list().entries(records).finish()
    }
}

/// Whether the record is a call of this task, under its name or an older one.
fn is_of<T: Task>(record: &TaskRecord) -> bool {
    *record.name == *T::ENTRY.name() || T::ENTRY.aliases().contains(&&*record.name)
}

/// Everything that was enqueued, a line for each.
pub(super) fn list(records: &[TaskRecord]) -> String {
    if records.is_empty() {
        return "; nothing was enqueued at all".to_owned();
    }
    let mut text = "; enqueued were:".to_owned();
    for (number, record) in (1..).zip(records.iter().take(LISTED)) {
        let _ = write!(text, "\n  {number}. {}", line(record));
    }
    if let Some(more @ 1..) = records.len().checked_sub(LISTED) {
        let _ = write!(text, "\n  and {more} more");
    }
    text
}

/// One task in a line.
fn line(record: &TaskRecord) -> String {
    let mut text = format!(
        "{} {} queue={} priority={}",
        record.name,
        arguments(record),
        record.queue,
        record.priority
    );
    if let Some(due) = record.run_after {
        let _ = write!(text, " run_after={due}");
    }
    if let Some(metadata) = &record.metadata {
        let _ = write!(text, " metadata={metadata}");
    }
    if record.status != task_core::TaskStatus::Ready {
        let _ = write!(text, " {}", record.status);
    }
    text
}

/// The arguments, cut where they are long.
fn arguments(record: &TaskRecord) -> String {
    const LONGEST: usize = 200;
    let text = serde_json::from_str::<Value>(&record.arguments)
        .map_or_else(|_| record.arguments.to_string(), |value| value.to_string());
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}
