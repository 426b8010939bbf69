//! The versions of the schema: which one a file has, and how it gets to ours.

use sqlx::{Row as _, SqliteConnection};
use task_core::{Error, ErrorKind, Result};

use super::error::from_sqlx;
use super::script::Script;

/// One step from a version of the schema to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The version the schema has afterwards.
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// Every step there ever was, in order.
pub(crate) const MIGRATIONS: [Migration; 2] = [
    Migration {
        version: 1,
        name: "tasks",
        sql: include_str!("../../migrations/sqlite/0001_tasks.sql"),
    },
    Migration {
        version: 2,
        name: "metadata",
        sql: include_str!("../../migrations/sqlite/0002_metadata.sql"),
    },
];

/// Marks a file as ours in SQLite's header: "task" in ASCII.
const APPLICATION_ID: i64 = 0x7461_736b;

const LATEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Brings the file to the latest version and returns the steps that were taken.
/// Processes that do this at the same time wait for each other; the later ones find
/// nothing left to do.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<Vec<Migration>> {
    let pending = pending(connection).await?;
    if pending.is_empty() {
        return Ok(pending);
    }
    execute(connection, "BEGIN IMMEDIATE").await?;
    let applied = apply(connection).await;
    match applied {
        Ok(_) => execute(connection, "COMMIT").await?,
        // The first error counts; a roll-back that fails adds nothing to it.
        Err(_) => execute(connection, "ROLLBACK").await.unwrap_or(()),
    }
    applied
}

async fn apply(connection: &mut SqliteConnection) -> Result<Vec<Migration>> {
    // Looked at again inside the transaction: another process may have been faster.
    let pending = pending(connection).await?;
    for migration in &pending {
        execute(connection, migration.sql).await?;
    }
    if !pending.is_empty() {
        execute(
            connection,
            &format!("PRAGMA user_version = {LATEST}; PRAGMA application_id = {APPLICATION_ID}"),
        )
        .await?;
    }
    Ok(pending)
}

/// The steps that are still to be taken.
///
/// # Errors
/// [`ErrorKind::Schema`] when the file is newer than this program, or belongs to another one.
pub(crate) async fn pending(connection: &mut SqliteConnection) -> Result<Vec<Migration>> {
    let version = number(connection, "PRAGMA user_version").await?;
    let owner = number(connection, "PRAGMA application_id").await?;
    if owner != APPLICATION_ID && (version != 0 || owner != 0) {
        return Err(Error::new(
            ErrorKind::Schema,
            "the SQLite file marks itself as another program's",
        )
        .hint(format!(
            "its application_id is {owner}, its user_version {version}; name another file in `url`"
        )));
    }
    if version > LATEST {
        return Err(Error::new(
            ErrorKind::Schema,
            format!("the store has schema version {version}, this program knows up to {LATEST}"),
        )
        .hint("it was migrated by a newer version: update this program. Nothing was written"));
    }
    Ok(MIGRATIONS
        .into_iter()
        .filter(|migration| migration.version > version)
        .collect())
}

/// The version a file has.
pub(crate) async fn version(connection: &mut SqliteConnection) -> Result<i64> {
    number(connection, "PRAGMA user_version").await
}

async fn number(connection: &mut SqliteConnection, query: &'static str) -> Result<i64> {
    let row = sqlx::query(query)
        .fetch_one(connection)
        .await
        .map_err(from_sqlx)?;
    row.try_get(0).map_err(from_sqlx)
}

async fn execute(connection: &mut SqliteConnection, sql: &str) -> Result<()> {
    let mut script = Script::default();
    script.push(sql, []);
    script.send(connection).await.map(drop)
}
