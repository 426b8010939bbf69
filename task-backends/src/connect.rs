//! From settings to backends: the only place that turns names into constructors.

use task_core::{BackendAlias, BackendKind, BackendKinds, BackendSettings, Backends, Result, Settings};
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "redis"
))]
use task_core::{Error, ErrorKind};

use crate::{DummyBackend, ImmediateBackend};

/// The kinds of backend this program can open: the built-in ones, and those that crates it
/// links registered with [`backend_kind!`](task_core::backend_kind).
///
/// # Errors
/// [`ErrorKind::Registry`](task_core::ErrorKind::Registry) when two of them have one name,
/// naming both places.
pub fn kinds() -> Result<BackendKinds> {
    let mut kinds = BackendKinds::new();
    kinds.add(BackendKind::new("dummy", open_dummy))?;
    kinds.add(BackendKind::new("immediate", open_immediate))?;
    #[cfg(feature = "sqlite")]
    kinds.add(BackendKind::new("sqlite", open_sqlite))?;
    #[cfg(feature = "postgres")]
    kinds.add(BackendKind::new("postgres", open_postgres))?;
    #[cfg(feature = "mysql")]
    kinds.add(BackendKind::new("mysql", open_mysql))?;
    #[cfg(feature = "redis")]
    kinds.add(BackendKind::new("redis", open_redis))?;
    kinds.add_registered()?;
    Ok(kinds)
}

async fn open_dummy(_: &str, settings: &BackendSettings) -> Result<DummyBackend> {
    settings.check_options(&[])?;
    Ok(DummyBackend::new())
}

async fn open_immediate(_: &str, settings: &BackendSettings) -> Result<ImmediateBackend> {
    settings.check_options(&[])?;
    Ok(ImmediateBackend::new().with_limits(settings.limits))
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(_: &str, settings: &BackendSettings) -> Result<crate::SqliteBackend> {
    crate::SqliteBackend::open(sqlite_options(settings)?).await
}

#[cfg(feature = "postgres")]
async fn open_postgres(_: &str, settings: &BackendSettings) -> Result<crate::PostgresBackend> {
    crate::PostgresBackend::open(postgres_options(settings)?).await
}

#[cfg(feature = "mysql")]
async fn open_mysql(_: &str, settings: &BackendSettings) -> Result<crate::MysqlBackend> {
    crate::MysqlBackend::open(mysql_options(settings)?).await
}

#[cfg(feature = "redis")]
async fn open_redis(_: &str, settings: &BackendSettings) -> Result<crate::RedisBackend> {
    crate::RedisBackend::open(redis_options(settings)?).await
}

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
/// [`ErrorKind::InvalidBackend`](task_core::ErrorKind::InvalidBackend) for a kind that does not
/// exist, with a suggestion; what the store says when it cannot be opened, with its alias; as
/// [`kinds`].
pub async fn connect(settings: &Settings) -> Result<Backends> {
    connect_with(settings, &kinds()?).await
}

/// As [`connect`], with kinds of backend that the program chose itself.
///
/// ```
/// use task_core::{BackendKind, BackendSettings, Result, Settings};
/// use task_backends::{DummyBackend, connect_with, kinds};
///
/// async fn open(_alias: &str, _: &BackendSettings) -> Result<DummyBackend> {
///     Ok(DummyBackend::new())
/// }
///
/// # async fn example(settings: &Settings) -> Result<()> {
/// let mut kinds = kinds()?;
/// kinds.add(BackendKind::new("pretend", open))?;
/// let backends = connect_with(settings, &kinds).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(settings: &Settings, kinds: &BackendKinds) -> Result<Backends> {
    let mut aliases = Vec::new();
    for (name, settings) in &settings.backends {
        aliases.push(open(name, settings, kinds).await?);
    }
    Ok(Backends::new(aliases))
}

/// Opens the store of one alias.
///
/// # Errors
/// As [`connect`].
pub async fn connect_one(name: &str, settings: &BackendSettings) -> Result<BackendAlias> {
    open(name, settings, &kinds()?).await
}

async fn open(name: &str, settings: &BackendSettings, kinds: &BackendKinds) -> Result<BackendAlias> {
    let kind = kinds
        .require(&settings.backend)
        .map_err(|error| error.at(format!("alias `{name}`")).at(settings.place.clone()))?;
    Ok(BackendAlias::new(
        name,
        kind.open(name, settings).await?,
        settings.queues.iter().cloned(),
        settings.limits,
    ))
}

/// What the settings of an SQLite alias say.
///
/// # Errors
/// [`ErrorKind::Settings`] for a missing or wrong `url` and an unknown `synchronous` or option.
#[cfg(feature = "sqlite")]
pub fn sqlite_options(settings: &BackendSettings) -> Result<crate::SqliteOptions> {
    use crate::Synchronous;
    use task_core::suggest_one_of;

    settings.check_options(&[])?;
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

/// The URL that a server's alias must have.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
fn server_url<'s>(settings: &'s BackendSettings, example: &'static str) -> Result<&'s str> {
    settings.url.as_deref().ok_or_else(|| {
        let message = format!("a {} backend needs a `url`", settings.backend);
        Error::new(ErrorKind::Settings, message)
            .at(settings.place.clone())
            .hint(example)
    })
}

/// What the settings of a PostgreSQL alias say: its `url`, and the options `schema` and `notify`.
///
/// # Errors
/// [`ErrorKind::Settings`] for a missing or wrong `url`, and wrong or unknown options.
#[cfg(feature = "postgres")]
pub fn postgres_options(settings: &BackendSettings) -> Result<crate::PostgresOptions> {
    settings.check_options(&["schema", "notify"])?;
    let example = "url = \"postgres://user:password@host:5432/database\"";
    let url = server_url(settings, example)?;
    let place = |error: Error| error.at(settings.place.clone());
    let mut options = crate::PostgresOptions::new(url).map_err(place)?;
    if let Some(schema) = settings.option::<String>("schema")? {
        options = options.schema(schema).map_err(place)?;
    }
    if let Some(notify) = settings.option("notify")? {
        options = options.notify(notify);
    }
    Ok(options)
}

/// What the settings of a MySQL or MariaDB alias say: its `url`.
///
/// # Errors
/// [`ErrorKind::Settings`] for a missing or wrong `url` and unknown options.
#[cfg(feature = "mysql")]
pub fn mysql_options(settings: &BackendSettings) -> Result<crate::MysqlOptions> {
    settings.check_options(&[])?;
    let url = server_url(settings, "url = \"mysql://user:password@host:3306/database\"")?;
    crate::MysqlOptions::new(url).map_err(|error| error.at(settings.place.clone()))
}

/// What the settings of a Redis alias say.
///
/// # Errors
/// [`ErrorKind::Settings`] for a missing or wrong `url`, a `prefix` that cannot be one, and an
/// unknown option.
#[cfg(feature = "redis")]
pub fn redis_options(settings: &BackendSettings) -> Result<crate::RedisOptions> {
    settings.check_options(&["prefix", "allow_eviction"])?;
    let place = |error: Error| error.at(&*settings.place);
    let url = server_url(settings, "url = \"redis://user:password@host:6379/0\"")?;
    let mut options = crate::RedisOptions::from_url(url).map_err(place)?;
    if let Some(prefix) = settings.option::<String>("prefix")? {
        options = options.prefix(prefix).map_err(place)?;
    }
    if settings.option("allow_eviction")?.unwrap_or(false) {
        options = options.allow_eviction();
    }
    Ok(options)
}
