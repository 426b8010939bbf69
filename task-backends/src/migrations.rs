//! What migrating a store of the settings would do.

use task_core::{BackendSettings, Result};

use crate::sql::{Migration, SqlBackend, SqlOptions};

/// Where a store is, which schema version it has, and what it still needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigrations {
    /// The place, without any secret.
    pub place: String,
    /// The version it has now; 0 for a store that is not there.
    pub version: i64,
    /// The steps to the version of this program, in order.
    pub steps: Vec<Migration>,
}

/// The steps that opening the store of these settings would take, without taking them;
/// `None` for a backend without a schema.
///
/// # Errors
/// As opening it.
pub async fn pending_migrations(settings: &BackendSettings) -> Result<Option<PendingMigrations>> {
    match settings.backend.as_str() {
        #[cfg(feature = "sqlite")]
        "sqlite" => of(&crate::sqlite_options(settings)?).await.map(Some),
        #[cfg(feature = "postgres")]
        "postgres" => of(&crate::postgres_options(settings)?).await.map(Some),
        #[cfg(feature = "mysql")]
        "mysql" => of(&crate::mysql_options(settings)?).await.map(Some),
        _ => Ok(None),
    }
}

async fn of<O: SqlOptions>(options: &O) -> Result<PendingMigrations> {
    let (version, steps) = SqlBackend::pending_migrations(options).await?;
    Ok(PendingMigrations {
        place: SqlBackend::place(options),
        version,
        steps,
    })
}
