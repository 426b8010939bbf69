//! From the settings to the backends a command needs.

use std::sync::Arc;

use task_backends::ImmediateBackend;
use task_core::{
    BackendAlias, BackendSettings, Backends, Error, ErrorKind, Result, Settings, TaskAdmin, suggest_one_of,
};

use crate::commands::Session;
use crate::exit::Trouble;

/// The kind of backend that runs tasks itself, in this process.
const IMMEDIATE: &str = "immediate";

/// The settings of one alias.
///
/// # Errors
/// [`ErrorKind::InvalidBackend`] with the nearest alias.
pub(crate) fn find<'a>(settings: &'a Settings, alias: &str) -> Result<&'a BackendSettings> {
    settings.backends.get(alias).ok_or_else(|| {
        let known = settings.backends.keys().map(String::as_str);
        Error::new(
            ErrorKind::InvalidBackend,
            format!("the backend `{alias}` does not exist"),
        )
        .hint(suggest_one_of(alias, known))
    })
}

/// Opens one backend.
pub(crate) async fn open(
    alias: &str,
    settings: &BackendSettings,
    session: &Session<'_>,
) -> Result<BackendAlias> {
    // It must know the tasks of this program, also those registered by hand.
    if settings.backend == IMMEDIATE
        && let Ok(registry) = session.registry()
    {
        settings.check_options(&[])?;
        let backend = ImmediateBackend::new()
            .with_limits(settings.limits)
            .with_registry(registry.clone());
        let queues = settings.queues.iter().cloned();
        return Ok(BackendAlias::new(
            alias,
            Arc::new(backend),
            queues,
            settings.limits,
        ));
    }
    task_backends::connect_one(alias, settings).await
}

/// Opens all backends and makes them those of the process, so that tasks can enqueue
/// tasks. A program that has set up its own keeps them.
pub(crate) async fn open_all(settings: &Settings, session: &Session<'_>) -> Result<Backends> {
    let mut aliases = Vec::new();
    for (alias, settings) in &settings.backends {
        aliases.push(open(alias, settings, session).await?);
    }
    install(aliases)
}

/// Makes these the backends of the process. A program that has set up its own keeps them.
pub(crate) fn install(aliases: Vec<BackendAlias>) -> Result<Backends> {
    let backends = Backends::new(aliases);
    if Backends::global().is_err() {
        backends.clone().install()?;
    }
    Ok(backends)
}

/// Opens the backend that a task is handed to, and where that one runs it at once all
/// others as well.
pub(crate) async fn open_for_enqueue(
    alias: &str,
    settings: &Settings,
    session: &Session<'_>,
) -> Result<Backends> {
    let own = find(settings, alias)?;
    if own.backend == IMMEDIATE {
        open_all(settings, session).await
    } else {
        Ok(Backends::new([open(alias, own, session).await?]))
    }
}

/// Opens one backend, works with it and lets go of it.
pub(crate) async fn with<T>(
    alias: &str,
    session: &Session<'_>,
    work: impl AsyncFnOnce(&Arc<BackendAlias>) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let settings = Settings::load()?;
    let alias = Arc::new(open(alias, find(&settings, alias)?, session).await?);
    let outcome = work(&alias).await;
    alias.backend().close().await;
    outcome
}

/// The operator's face of a backend.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where there is nothing to operate.
pub(crate) fn admin(alias: &BackendAlias) -> Result<&dyn TaskAdmin> {
    let backend = alias.backend();
    backend.admin().ok_or_else(|| {
        let message = format!(
            "the backend `{}` ({}) keeps no tasks that could be listed or changed",
            alias.name(),
            backend.kind()
        );
        Error::new(ErrorKind::Unsupported, message)
            .hint("is tasks.toml in the working directory, or does TASKS_CONFIG name it?")
    })
}
