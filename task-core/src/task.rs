//! A defined task and one call of it.

use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    BackendAlias, Backends, Error, ErrorKind, NewTask, Result, TaskEntry, TaskFailure, TaskId, TaskOptions,
    TaskResult, Unique, metadata, payload,
};

/// A defined task: its arguments as a struct, its return type and its entry.
///
/// `#[task]` implements it for the struct it adds beside the function.
pub trait Task: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What the task returns when it succeeds.
    type Output: TaskOutput;
    /// Everything known about the function at compile time.
    const ENTRY: &'static TaskEntry;
}

/// A type that can be stored as a return value: every `Serialize + DeserializeOwned + Send`.
#[diagnostic::on_unimplemented(
    message = "task result `{Self}` cannot be stored",
    label = "this type must be `Serialize + Deserialize + Send + 'static`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; a task that has nothing to return returns `()`"
)]
pub trait TaskOutput {
    /// The value as JSON of at most so many bytes.
    #[doc(hidden)]
    fn encode(&self, limit: usize) -> Result<String, TaskFailure>;
}

// No supertraits, and not recommended: one sentence about the type rather than one for
// each trait it lacks.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> TaskOutput for T {
    fn encode(&self, limit: usize) -> Result<String, TaskFailure> {
        payload::encode(self, limit)
    }
}

/// How many tasks [`enqueue_many`] hands to the store at once.
pub const ENQUEUE_CHUNK: usize = 1000;

/// A task with its arguments and options, not enqueued yet.
#[must_use = "a call does nothing until it is enqueued"]
pub struct TaskCall<T: Task> {
    arguments: T,
    options: TaskOptions,
}

impl<T: Task> TaskCall<T> {
    /// A call with these arguments and the options the task was defined with.
    pub fn new(arguments: T) -> Self {
        Self {
            arguments,
            options: TaskOptions::default(),
        }
    }

    /// The same call with these options put over what was set before.
    ///
    /// Options that no backend could accept are reported when the call is enqueued,
    /// as [`ErrorKind::InvalidTask`].
    pub fn using(mut self, options: TaskOptions) -> Self {
        self.options = self.options.merged(options);
        self
    }

    /// The arguments.
    pub fn arguments(&self) -> &T {
        &self.arguments
    }

    /// The alias of the backend this call goes to.
    pub fn backend_alias(&self) -> &str {
        self.options.backend.as_deref().unwrap_or(T::ENTRY.backend)
    }

    /// Stores the task in its backend of this process and returns its result, `READY`
    /// (or already finished on the immediate backend). Once this returned, the task is
    /// not lost.
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidBackend`]: no backends are set up, or none of this alias.
    /// - [`ErrorKind::InvalidTask`]: an option the backend does not accept.
    /// - [`ErrorKind::Encoding`], [`ErrorKind::TooLarge`]: the arguments.
    /// - [`ErrorKind::Unavailable`]: the store; whether it took the task is then unknown.
    pub async fn enqueue(self) -> Result<TaskResult<T::Output>> {
        self.enqueue_on(Backends::global()?).await
    }

    /// As [`TaskCall::enqueue`], on backends the program keeps itself.
    ///
    /// # Errors
    /// As [`TaskCall::enqueue`].
    pub async fn enqueue_on(self, backends: &Backends) -> Result<TaskResult<T::Output>> {
        let alias = backends.get(self.backend_alias())?;
        let task = self.prepare(alias)?;
        let id = task.id;
        let record = alias
            .backend()
            .enqueue(vec![task])
            .await?
            .pop()
            .ok_or_else(|| lost_count(1, 0))?;
        Ok(TaskResult::new(record, alias.clone()).of_call(id))
    }

    /// The checked task as this backend stores it. For backends that take a task in
    /// another way than [`TaskCall::enqueue`], such as inside a caller's transaction.
    ///
    /// # Errors
    /// As [`TaskCall::enqueue`], the store's own trouble excepted.
    pub fn prepare(&self, alias: &BackendAlias) -> Result<NewTask> {
        let entry = T::ENTRY;
        let options = &self.options;
        options
            .check()
            .map_err(|error| error.at(format!("task `{}`", entry.name)))?;
        let mut policy = entry.policy;
        policy.max_attempts = options.max_attempts.unwrap_or(policy.max_attempts);
        policy.max_lost = options.max_lost.unwrap_or(policy.max_lost);
        policy.backoff = options.backoff.unwrap_or(policy.backoff);
        if let Some(timeout) = options.timeout {
            policy.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        }
        let arguments = payload::encode_arguments(&self.arguments, alias.limits(), entry.name)?;
        let queue = options.queue.as_deref().unwrap_or(entry.queue);
        let trace = options.trace.clone().or_else(crate::trace::current);
        let task = NewTask {
            id: TaskId::new(),
            name: entry.name.into(),
            queue: queue.into(),
            unique: unique_of(entry, options, queue, &arguments),
            priority: options.priority.unwrap_or(entry.priority),
            run_after: options.run_after,
            arguments: arguments.into(),
            policy,
            metadata: metadata::of_call(entry, &options.metadata, trace)
                .map_err(|error| error.at(format!("task `{}`", entry.name)))?,
        };
        alias.check_options(&task, entry)?;
        Ok(task)
    }
}

/// What this call must not share with another one.
fn unique_of(entry: &TaskEntry, options: &TaskOptions, queue: &str, arguments: &str) -> Option<Unique> {
    let unique = match &options.unique_key {
        Some(key) => {
            let until = entry.unique.map(|rule| rule.until).unwrap_or_default();
            Unique::new(entry.name, queue, &format!("={key}"), until)
        }
        None => entry.unique_call(queue, arguments)?,
    };
    Some(Unique {
        until: options.unique_until.unwrap_or(unique.until),
        ..unique
    })
}

impl<T: Task> From<T> for TaskCall<T> {
    fn from(arguments: T) -> Self {
        Self::new(arguments)
    }
}

impl<T: Task> fmt::Debug for TaskCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCall")
            .field("task", &T::ENTRY.name)
            .field("options", &self.options)
            .finish()
    }
}

/// Stores many calls of one task on the backends of this process, [`ENQUEUE_CHUNK`] to
/// a round trip, and returns their results in the same order.
///
/// Every call is checked before the first is written, so a bad one refuses all. Each
/// chunk is stored whole or not at all.
///
/// # Errors
/// As [`TaskCall::enqueue`]. When the store fails after some chunks, the error says how
/// many tasks it had accepted by then: they stay.
pub async fn enqueue_many<T: Task>(calls: Vec<TaskCall<T>>) -> Result<Vec<TaskResult<T::Output>>> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    enqueue_many_on(calls, Backends::global()?).await
}

/// As [`enqueue_many`], on backends the program keeps itself.
///
/// # Errors
/// As [`enqueue_many`].
pub async fn enqueue_many_on<T: Task>(
    calls: Vec<TaskCall<T>>,
    backends: &Backends,
) -> Result<Vec<TaskResult<T::Output>>> {
    let total = calls.len();
    let mut prepared = Vec::with_capacity(total);
    for (index, call) in calls.iter().enumerate() {
        let alias = backends.get(call.backend_alias())?;
        let task = call
            .prepare(alias)
            .map_err(|error| error.at(format!("call {index} of {total}")))?;
        prepared.push((task, alias));
    }
    drop(calls);
    // A backend that runs tasks on the spot runs them in their order.
    let is_kept = prepared
        .iter()
        .all(|(_, alias)| alias.backend().capabilities().durable);
    let at_once = if is_kept { CHUNKS_UNDER_WAY } else { 1 };
    let mut chunks = into_chunks(prepared).into_iter();
    let mut under_way = FuturesOrdered::new();
    let mut results = Vec::with_capacity(total);
    let mut failed = None;
    loop {
        // The next chunk is on its way while this one is written; after a failure no new one.
        while under_way.len() < at_once
            && failed.is_none()
            && let Some((chunk, alias)) = chunks.next()
        {
            under_way.push_back(store_chunk(chunk, alias));
        }
        match under_way.next().await {
            Some(Ok(stored)) => results.extend(stored),
            Some(Err(error)) => failed = failed.or(Some(error)),
            None => break,
        }
    }
    match failed {
        Some(error) => Err(error.at(format!("{} of {total} tasks were stored", results.len()))),
        None => Ok(results),
    }
}

/// How many chunks are handed to a store before the first is answered.
const CHUNKS_UNDER_WAY: usize = 2;

/// Neighbours of one backend together, at most [`ENQUEUE_CHUNK`].
fn into_chunks(tasks: Vec<(NewTask, &Arc<BackendAlias>)>) -> Vec<(Vec<NewTask>, Arc<BackendAlias>)> {
    let mut chunks: Vec<(Vec<NewTask>, Arc<BackendAlias>)> = Vec::new();
    let mut left = tasks.len();
    for (task, alias) in tasks {
        match chunks.last_mut() {
            Some((chunk, of)) if Arc::ptr_eq(of, alias) && chunk.len() < ENQUEUE_CHUNK => chunk.push(task),
            _ => {
                let mut chunk = Vec::with_capacity(left.min(ENQUEUE_CHUNK));
                chunk.push(task);
                chunks.push((chunk, alias.clone()));
            }
        }
        left -= 1;
    }
    chunks
}

async fn store_chunk<O>(chunk: Vec<NewTask>, alias: Arc<BackendAlias>) -> Result<Vec<TaskResult<O>>> {
    let expected = chunk.len();
    let ids: Vec<TaskId> = chunk.iter().map(|task| task.id).collect();
    let records = alias.backend().enqueue(chunk).await?;
    if records.len() != expected {
        return Err(lost_count(expected, records.len()));
    }
    Ok(records
        .into_iter()
        .zip(ids)
        .map(|(record, id)| TaskResult::new(record, alias.clone()).of_call(id))
        .collect())
}

fn lost_count(expected: usize, got: usize) -> Error {
    Error::new(
        ErrorKind::Backend,
        format!("the backend was given {expected} tasks and answered for {got}"),
    )
}

/// The result of task `T` with this id, from the backends of this process.
///
/// # Errors
/// - [`ErrorKind::NotFound`]: no such task.
/// - [`ErrorKind::Mismatch`]: the id belongs to another task; the message names it.
/// - [`ErrorKind::Unsupported`]: the backend keeps no results.
pub async fn get_result<T: Task>(id: TaskId) -> Result<TaskResult<T::Output>> {
    get_result_on::<T>(id, Backends::global()?).await
}

/// As [`get_result`], from backends the program keeps itself.
///
/// # Errors
/// As [`get_result`].
pub async fn get_result_on<T: Task>(id: TaskId, backends: &Backends) -> Result<TaskResult<T::Output>> {
    let alias = backends.get(T::ENTRY.backend)?;
    let record = alias.record(id).await?;
    let entry = T::ENTRY;
    if *record.name != *entry.name && !entry.aliases.contains(&&*record.name) {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!("task {id} is `{}`, not `{}`", record.name, entry.name),
        ));
    }
    Ok(TaskResult::new(record, alias.clone()))
}
