//! An empty store on a server.

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, PgConnection, Row as _};
use task_backends::connect_one;
use task_core::{BackendSettings, Backends};

use crate::{Outcome, redis};

/// Whether this is the URL of a PostgreSQL server; else it is one of MySQL or MariaDB.
pub(super) fn is_postgres(server: &str) -> bool {
    server.starts_with("postgres")
}

/// The URL of another database of the same server.
pub(super) fn url_of(server: &str, database: &str) -> Outcome<String> {
    let (host, _) = server.rsplit_once('/').ok_or("the url names no database")?;
    Ok(format!("{host}/{database}"))
}

/// Which server it is, and whether what it commits is on the disk.
pub(super) async fn describe(server: &str) -> Outcome<String> {
    if is_postgres(server) {
        let row = PgConnection::connect(server)
            .await?
            .fetch_one(
                "SELECT format('PostgreSQL %s, fsync %s, synchronous_commit %s', current_setting('server_version'), \
                 current_setting('fsync'), current_setting('synchronous_commit'))",
            )
            .await?;
        return Ok(row.try_get(0)?);
    }
    let row = MySqlConnection::connect(server)
        .await?
        .fetch_one("SELECT version(), @@innodb_flush_log_at_trx_commit, @@log_bin")
        .await?;
    let (version, flush, binlog): (String, u64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(format!(
        "MySQL {version}, innodb_flush_log_at_trx_commit {flush}, log_bin {binlog}"
    ))
}

/// What a URL is about.
fn kind(server: &str) -> &'static str {
    match server.split(':').next() {
        Some("postgres" | "postgresql") => "postgres",
        Some("redis" | "rediss" | "valkey") => "redis",
        Some("sqlite") => "sqlite",
        _ => "mysql",
    }
}

/// The SQLite file of this name.
fn file_of(name: &str) -> PathBuf {
    std::env::temp_dir().join(name).join("tasks.db")
}

/// An empty store on the server; removed by [`Place::remove`].
pub(crate) struct Place {
    pub(super) server: String,
    /// The schema, the database, the prefix or the folder.
    pub(super) name: String,
    settings: BackendSettings,
}

impl Place {
    /// An empty one of this server, with its tables.
    pub(crate) async fn new(server: &str) -> Outcome<Self> {
        let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
        match kind(server) {
            "mysql" => {
                let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
                MySqlConnection::connect(server).await?.execute(create).await?;
            }
            "sqlite" => std::fs::create_dir(std::env::temp_dir().join(&name))?,
            _ => {}
        }
        let place = Self::named(server, name)?;
        place.open().await?.close().await;
        Ok(place)
    }

    /// The one of this name.
    pub(super) fn named(server: &str, name: String) -> Outcome<Self> {
        let mut settings = BackendSettings::of_kind(kind(server));
        settings.url = Some(match kind(server) {
            "mysql" => url_of(server, &name)?,
            "sqlite" => format!("sqlite://{}", file_of(&name).display()),
            _ => server.to_owned(),
        });
        match kind(server) {
            "postgres" => drop(settings.options.insert("schema".to_owned(), name.clone().into())),
            "redis" => drop(settings.options.insert("prefix".to_owned(), name.clone().into())),
            _ => {}
        }
        Ok(Self {
            server: server.to_owned(),
            name,
            settings,
        })
    }

    /// What kind of backend it is.
    pub(crate) fn kind(&self) -> &str {
        &self.settings.backend
    }

    /// Its schema, database, prefix or folder on the server.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The URL of the server.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The folder of an SQLite file.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        (self.kind() == "sqlite").then(|| std::env::temp_dir().join(&self.name))
    }

    /// Our store there.
    pub(crate) async fn open(&self) -> Outcome<Backends> {
        Ok(Backends::new(vec![connect_one("default", &self.settings).await?]))
    }

    /// Deletes it with all its rows.
    pub(crate) async fn remove(self) -> Outcome {
        match kind(&self.server) {
            "postgres" => {
                let drop = AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", self.name));
                PgConnection::connect(&self.server).await?.execute(drop).await?;
            }
            "redis" => redis::remove(&self.server, &self.name).await?,
            "sqlite" => std::fs::remove_dir_all(std::env::temp_dir().join(&self.name))?,
            _ => {
                let drop = AssertSqlSafe(format!("DROP DATABASE {}", self.name));
                MySqlConnection::connect(&self.server)
                    .await?
                    .execute(drop)
                    .await?;
            }
        }
        Ok(())
    }
}
