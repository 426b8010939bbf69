//! The backends of a program, by alias.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::{
    Error, ErrorKind, Limits, NewTask, Result, TaskBackend, TaskEntry, TaskId, TaskRecord, TaskResult,
    options, payload, suggest,
};

/// The alias that tasks go to unless they say otherwise.
pub const DEFAULT_ALIAS: &str = "default";

/// One backend under the name the settings give it, with the queues it accepts.
#[derive(Debug)]
pub struct BackendAlias {
    name: String,
    backend: Arc<dyn TaskBackend>,
    queues: BTreeSet<String>,
    limits: Limits,
}

impl BackendAlias {
    /// A backend under this alias. An empty set of queues accepts any name.
    pub fn new(
        name: impl Into<String>,
        backend: Arc<dyn TaskBackend>,
        queues: impl IntoIterator<Item = String>,
        limits: Limits,
    ) -> Self {
        Self {
            name: name.into(),
            backend,
            queues: queues.into_iter().collect(),
            limits,
        }
    }

    /// The alias.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The backend.
    pub fn backend(&self) -> &dyn TaskBackend {
        &*self.backend
    }

    /// The queues it accepts; empty means any.
    pub fn queues(&self) -> &BTreeSet<String> {
        &self.queues
    }

    /// How large arguments and return values may be.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether this backend accepts a task that was made by hand: what it can do, its queues,
    /// the arguments and their size.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidTask`], [`ErrorKind::Encoding`] or [`ErrorKind::TooLarge`].
    pub fn check(&self, task: &NewTask, entry: &TaskEntry) -> Result<()> {
        self.check_options(task, entry)?;
        payload::check_arguments(&task.arguments, self.limits, &task.name)
    }

    /// The same for a task whose arguments were checked when they were written.
    pub(crate) fn check_options(&self, task: &NewTask, entry: &TaskEntry) -> Result<()> {
        let can = self.backend.capabilities();
        let refuse = |message: String| {
            Err(Error::new(ErrorKind::InvalidTask, message)
                .at(format!("task `{}`, backend `{}`", task.name, self.name)))
        };
        if entry.is_async() && !can.async_task {
            return refuse("the backend does not support async tasks".to_owned());
        }
        if task.priority != 0 && !can.priority {
            return refuse("the backend does not support setting the priority of tasks".to_owned());
        }
        if task.run_after.is_some() && !can.defer {
            return refuse("the backend does not support run_after".to_owned());
        }
        self.check_queue(&task.queue)
            .map_err(|error| error.at(format!("task `{}`", task.name)))
    }

    /// Whether this backend accepts the queue.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidTask`] with the nearest name.
    pub fn check_queue(&self, queue: &str) -> Result<()> {
        options::check_queue_name(queue)?;
        if self.queues.is_empty() || self.queues.contains(queue) {
            return Ok(());
        }
        let known = suggest::one_of(queue, self.queues.iter().map(String::as_str));
        Err(Error::new(
            ErrorKind::InvalidTask,
            format!(
                "queue `{queue}` is not one of the queues of backend `{}`",
                self.name
            ),
        )
        .hint(format!(
            "{known}. `queues` in tasks.toml lists them; [] accepts any name"
        )))
    }

    /// The record of a task.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or [`ErrorKind::Unsupported`] when the backend keeps no results.
    pub async fn record(&self, id: TaskId) -> Result<TaskRecord> {
        self.backend.find(id).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("no task {id} in backend `{}`", self.name),
            )
        })
    }

    /// The result of a task whose type is not known; its value is read as JSON.
    ///
    /// # Errors
    /// As [`BackendAlias::record`].
    pub async fn result(self: &Arc<Self>, id: TaskId) -> Result<TaskResult> {
        Ok(TaskResult::new(self.record(id).await?, self.clone()))
    }
}

/// The backends of a program, by alias. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Backends {
    aliases: Arc<BTreeMap<String, Arc<BackendAlias>>>,
}

static GLOBAL: OnceLock<Backends> = OnceLock::new();

impl Backends {
    /// These backends; of two with one alias the later one counts.
    pub fn new(aliases: impl IntoIterator<Item = BackendAlias>) -> Self {
        let aliases = aliases
            .into_iter()
            .map(|alias| (alias.name.clone(), Arc::new(alias)))
            .collect();
        Self {
            aliases: Arc::new(aliases),
        }
    }

    /// One backend as `default`, accepting any queue: for tests and small programs.
    pub fn single(backend: Arc<dyn TaskBackend>) -> Self {
        Self::new([BackendAlias::new(DEFAULT_ALIAS, backend, [], Limits::DEFAULT)])
    }

    /// Makes these the backends of the process, which `enqueue` and `get_result` use.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when the process has backends already.
    pub fn install(self) -> Result<()> {
        GLOBAL.set(self).map_err(|_| {
            Error::new(
                ErrorKind::State,
                "the backends of this process are already set up",
            )
            .hint("call `task_backends::init()` once; tests keep their own `Backends` and use `enqueue_on`")
        })
    }

    /// The backends of the process.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidBackend`] when none are set up yet.
    pub fn global() -> Result<&'static Self> {
        GLOBAL.get().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidBackend,
                "no backends are set up in this process",
            )
            .hint("call `task_backends::init().await?` once at start, or use `enqueue_on(&backends)`")
        })
    }

    /// The backend with this alias.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidBackend`] with the nearest alias.
    pub fn get(&self, alias: &str) -> Result<&Arc<BackendAlias>> {
        self.aliases.get(alias).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidBackend,
                format!("the backend `{alias}` does not exist"),
            )
            .hint(suggest::one_of(alias, self.aliases.keys().map(String::as_str)))
        })
    }

    /// All backends, sorted by alias.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<BackendAlias>> {
        self.aliases.values()
    }

    /// Finishes what is being written everywhere and lets go of the stores.
    pub async fn close(&self) {
        for alias in self.iter() {
            alias.backend.close().await;
        }
    }
}
