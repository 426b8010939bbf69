//! A defined task, as data: what `#[task]` writes down about a function.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{Backoff, RetryPolicy, Schedule, TaskContext, TaskFailure, Unique, UniqueRule, payload};

/// A running attempt: ends with the return value as JSON, or with the failure.
pub type RunFuture = Pin<Box<dyn Future<Output = Result<String, TaskFailure>> + Send>>;

/// Starts one attempt: arguments as JSON, then the context.
pub type RunFunction = fn(&str, TaskContext) -> RunFuture;

/// Reads arguments as a task would, without running it.
pub type CheckFunction = fn(&str) -> Result<(), TaskFailure>;

/// Everything known at compile time about one task function.
///
/// `#[task]` makes one as a constant; a program that cannot use the macro may make
/// one by hand and add it to a [`Registry`](crate::Registry).
#[derive(Clone, Copy)]
#[must_use]
pub struct TaskEntry {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) description: &'static str,
    pub(crate) module_path: &'static str,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) queue: &'static str,
    pub(crate) priority: i32,
    pub(crate) backend: &'static str,
    pub(crate) takes_context: bool,
    pub(crate) is_async: bool,
    pub(crate) policy: RetryPolicy,
    pub(crate) metadata: &'static str,
    pub(crate) unique: Option<UniqueRule>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) run: RunFunction,
    pub(crate) check: Option<CheckFunction>,
    /// What it returns was checked while it was written.
    pub(crate) is_generated: bool,
}

impl TaskEntry {
    /// A task of this name with default options.
    pub const fn new(name: &'static str, run: RunFunction) -> Self {
        Self {
            name,
            aliases: &[],
            description: "",
            module_path: "",
            file: "",
            line: 0,
            queue: "default",
            priority: 0,
            backend: "default",
            takes_context: false,
            is_async: true,
            policy: RetryPolicy::DEFAULT,
            metadata: "",
            unique: None,
            schedule: None,
            run,
            check: None,
            is_generated: false,
        }
    }

    /// How to tell whether arguments fit without running the task.
    pub const fn checked_by(mut self, check: CheckFunction) -> Self {
        self.check = Some(check);
        self
    }

    /// For `#[task]`: as [`TaskEntry::checked_by`], and what is returned needs no second look.
    #[doc(hidden)]
    pub const fn generated(mut self, check: CheckFunction) -> Self {
        self.check = Some(check);
        self.is_generated = true;
        self
    }

    /// Where the function stands.
    pub const fn located(mut self, module_path: &'static str, file: &'static str, line: u32) -> Self {
        self.module_path = module_path;
        self.file = file;
        self.line = line;
        self
    }

    /// The sentence people see.
    pub const fn described(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// The queue it goes to unless a call says otherwise.
    pub const fn queue(mut self, queue: &'static str) -> Self {
        self.queue = queue;
        self
    }

    /// The priority it has unless a call says otherwise.
    pub const fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// The backend alias it is kept in unless a call says otherwise.
    pub const fn backend(mut self, alias: &'static str) -> Self {
        self.backend = alias;
        self
    }

    /// The function takes a [`TaskContext`] first.
    pub const fn with_context(mut self) -> Self {
        self.takes_context = true;
        self
    }

    /// The function is not async and runs on the blocking pool.
    pub const fn blocking(mut self) -> Self {
        self.is_async = false;
        self
    }

    /// How many attempts may fail by its own fault.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.policy.max_attempts = attempts;
        self
    }

    /// How many workers may be lost under it; 0 makes it at-most-once.
    pub const fn max_lost(mut self, lost: u32) -> Self {
        self.policy.max_lost = lost;
        self
    }

    /// How long to wait between attempts.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = backoff;
        self
    }

    /// How long one attempt may run, in milliseconds.
    pub const fn timeout_ms(mut self, timeout_ms: u64) -> Self {
        self.policy.timeout_ms = Some(timeout_ms);
        self
    }

    /// What the application says about the task and the framework only carries: the text
    /// of a JSON object.
    pub const fn metadata(mut self, object: &'static str) -> Self {
        self.metadata = object;
        self
    }

    /// Of which calls the store keeps one at a time.
    pub const fn unique(mut self, rule: UniqueRule) -> Self {
        self.unique = Some(rule);
        self
    }

    /// When workers enqueue it by themselves. It must run without arguments.
    pub const fn scheduled(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// Older names under which tasks may still be queued.
    pub const fn aliased(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Whether this JSON text can be the arguments of the task: an object that every store
    /// can keep and the task can read. A task entered by hand without
    /// [`TaskEntry::checked_by`] is not asked whether it can.
    ///
    /// # Errors
    /// The failure that an attempt with these arguments would have.
    pub fn check_arguments(&self, json: &str) -> Result<(), TaskFailure> {
        payload::check_text(json, self.name)?;
        self.check.map_or(Ok(()), |check| check(json))
    }

    /// The stored name, `crate::function` unless `name = ".."` says otherwise.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Older names under which tasks may still be queued.
    pub const fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// The first line of the function's documentation.
    pub const fn description(&self) -> &'static str {
        self.description
    }

    /// The module the function stands in.
    pub const fn module_path(&self) -> &'static str {
        self.module_path
    }

    /// The crate the function stands in.
    pub fn crate_name(&self) -> &'static str {
        self.module_path.split("::").next().unwrap_or("")
    }

    /// The source file and line of the function.
    pub const fn place(&self) -> (&'static str, u32) {
        (self.file, self.line)
    }

    /// The queue it goes to unless a call says otherwise.
    pub const fn default_queue(&self) -> &'static str {
        self.queue
    }

    /// The priority it has unless a call says otherwise.
    pub const fn default_priority(&self) -> i32 {
        self.priority
    }

    /// The backend alias it is kept in unless a call says otherwise.
    pub const fn default_backend(&self) -> &'static str {
        self.backend
    }

    /// Whether the function takes a [`TaskContext`] first.
    pub const fn takes_context(&self) -> bool {
        self.takes_context
    }

    /// Whether the function is async; the others run on the blocking pool.
    pub const fn is_async(&self) -> bool {
        self.is_async
    }

    /// The metadata it was defined with, as the text of a JSON object; empty for none.
    pub const fn default_metadata(&self) -> &'static str {
        self.metadata
    }

    /// Of which calls the store keeps one at a time, unless a call says otherwise.
    pub const fn unique_rule(&self) -> Option<UniqueRule> {
        self.unique
    }

    /// When workers enqueue it by themselves.
    pub const fn schedule(&self) -> Option<Schedule> {
        self.schedule
    }

    /// What a call with these arguments, the text of a JSON object, in this queue must not share with
    /// another one, by the task's own rule.
    pub fn unique_call(&self, queue: &str, arguments: &str) -> Option<Unique> {
        let rule = self.unique?;
        Some(Unique::new(self.name, queue, &rule.text(arguments), rule.until))
    }

    /// Attempts, lost workers and time limit unless a call says otherwise.
    pub const fn policy(&self) -> RetryPolicy {
        self.policy
    }
}

impl fmt::Debug for TaskEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskEntry({}, {}:{})", self.name, self.file, self.line)
    }
}
