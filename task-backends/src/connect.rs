//! From settings to backends: the only place that turns names into constructors.

use std::sync::Arc;

use task_core::{
    BackendAlias, BackendSettings, Backends, Error, ErrorKind, Result, Settings, TaskBackend, suggest_one_of,
};

use crate::{DummyBackend, ImmediateBackend};

/// The kinds of backend this build has.
const KINDS: &[&str] = &[
    "dummy",
    "immediate",
    #[cfg(feature = "sqlite")]
    "sqlite",
];

/// Loads the settings, opens every store and makes the backends those of the process.
/// Call it once, inside the tokio runtime, before the first task is enqueued.
///
/// # Errors
/// Settings that cannot be understood, stores that cannot be opened, a second call.
pub async fn init() -> Result<()> {
    init_with(&Settings::load()?).await
}

/// As [`init`], with settings of the program's own.
///
/// # Errors
/// As [`init`].
pub async fn init_with(settings: &Settings) -> Result<()> {
    connect(settings).await?.install()
}

/// Opens every store of the settings.
///
/// # Errors
/// [`ErrorKind::InvalidBackend`] for a kind that does not exist, with a suggestion; what
/// the store says when it cannot be opened, with its alias.
pub async fn connect(settings: &Settings) -> Result<Backends> {
    let mut aliases = Vec::new();
    for (name, settings) in &settings.backends {
        aliases.push(connect_one(name, settings).await?);
    }
    Ok(Backends::new(aliases))
}

/// Opens the store of one alias.
///
/// # Errors
/// As [`connect`].
pub async fn connect_one(name: &str, settings: &BackendSettings) -> Result<BackendAlias> {
    let backend: Arc<dyn TaskBackend> = match settings.backend.as_str() {
        "dummy" => Arc::new(DummyBackend::new()),
        "immediate" => Arc::new(ImmediateBackend::new().with_limits(settings.limits)),
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let options = sqlite_options(settings)?;
            let place = format!("backend `{name}`");
            Arc::new(
                crate::SqliteBackend::open(options)
                    .await
                    .map_err(|error| error.at(place))?,
            )
        }
        other => {
            let message =
                format!("the alias `{name}` asks for backend `{other}`, which this build does not have");
            return Err(Error::new(ErrorKind::InvalidBackend, message)
                .at(settings.place.clone())
                .hint(suggest_one_of(other, KINDS.iter().copied())));
        }
    };
    Ok(BackendAlias::new(
        name,
        backend,
        settings.queues.iter().cloned(),
        settings.limits,
    ))
}

/// What the settings of an SQLite alias say.
///
/// # Errors
/// [`ErrorKind::Settings`] for a missing or wrong `url` and an unknown `synchronous`.
#[cfg(feature = "sqlite")]
pub fn sqlite_options(settings: &BackendSettings) -> Result<crate::SqliteOptions> {
    use crate::Synchronous;

    let url = settings.url.as_deref().ok_or_else(|| {
        Error::new(ErrorKind::Settings, "an SQLite backend needs a `url`")
            .at(settings.place.clone())
            .hint("url = \"sqlite://tasks.db\"")
    })?;
    let options =
        crate::SqliteOptions::from_url(url, &settings.folder).map_err(|error| error.at(&*settings.place))?;
    let synchronous = match settings.synchronous.as_deref() {
        None | Some("normal") => Synchronous::Normal,
        Some("full") => Synchronous::Full,
        Some(other) => {
            return Err(
                Error::new(ErrorKind::Settings, format!("`synchronous` is `{other}`"))
                    .at(settings.place.clone())
                    .hint(suggest_one_of(other, ["normal", "full"])),
            );
        }
    };
    Ok(options.synchronous(synchronous))
}
