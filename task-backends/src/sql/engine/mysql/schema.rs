//! The versions of a MySQL database.

use std::borrow::Cow;

use task_core::{Error, ErrorKind, Result};

use crate::sql::engine::{Engine, Link};
use crate::sql::error::corrupt;
use crate::sql::schema::{Migration, pending};

/// Every step there ever was, in order.
pub(super) fn migrations() -> Vec<Migration> {
    let steps = [
        (
            1,
            "tasks",
            include_str!("../../../../migrations/mysql/0001_tasks.sql"),
        ),
        (
            2,
            "unique",
            include_str!("../../../../migrations/mysql/0002_unique.sql"),
        ),
    ];
    steps
        .into_iter()
        .map(|(version, name, sql)| Migration {
            version,
            name,
            sql: Cow::Borrowed(sql),
        })
        .collect()
}

/// How long to wait for another process that migrates, in seconds.
const WAIT_SECONDS: u32 = 60;

/// Brings the database to the latest version and returns the steps that were taken.
/// Processes that do this at the same time wait for each other; the later ones find
/// nothing left to do. MySQL commits each statement by itself, so a step that was
/// interrupted is taken again from its beginning.
pub(super) async fn migrate(
    engine: &dyn Engine,
    database: &str,
    link: &mut dyn Link,
) -> Result<Vec<Migration>> {
    let (_, steps) = pending(engine, link).await?;
    if steps.is_empty() {
        return Ok(steps);
    }
    // A lock's name has at most 64 characters.
    let lock: String = format!("tasks {database}").chars().take(64).collect();
    let locked = link
        .send_raw(format!("SELECT GET_LOCK('{lock}', {WAIT_SECONDS}) AS locked"))
        .await?;
    if locked.last().map_or(Ok(None), |row| row.maybe_int("locked"))? != Some(1) {
        return Err(Error::new(
            ErrorKind::Unavailable,
            format!("another process has been migrating the database for {WAIT_SECONDS} seconds"),
        )
        .hint("try again when it is done"));
    }
    let applied = apply(engine, database, link).await;
    link.send_raw(format!("DO RELEASE_LOCK('{lock}')")).await?;
    applied
}

async fn apply(engine: &dyn Engine, database: &str, link: &mut dyn Link) -> Result<Vec<Migration>> {
    // Looked at again: another process may have been faster.
    let (_, steps) = pending(engine, link).await?;
    for step in &steps {
        link.send_raw(step.sql.to_string()).await?;
        let version = step.version;
        link.send_raw(format!(
            "UPDATE `{database}`.schema_version SET version = {version}"
        ))
        .await?;
    }
    Ok(steps)
}

/// The version a database has; 0 when nothing of ours is in it, or not all of the first step.
///
/// # Errors
/// [`ErrorKind::Schema`] when tables of other programs stand in the way.
pub(super) async fn version(database: &str, link: &mut dyn Link) -> Result<i64> {
    let found = link
        .send_raw(format!(
            "SELECT COUNT(CASE WHEN table_name = 'schema_version' THEN 1 END) AS ours, \
                 COUNT(CASE WHEN table_name IN ('task', 'lane', 'ready', 'result', 'tasks') THEN 1 END) AS others \
             FROM information_schema.tables WHERE table_schema = '{database}'"
        ))
        .await?;
    let row = found.last().ok_or_else(|| corrupt("a count returned no row"))?;
    if row.int("ours")? == 0 {
        if row.int("others")? == 0 {
            return Ok(0);
        }
        return Err(Error::new(
            ErrorKind::Schema,
            format!("the database `{database}` has tables of another program"),
        )
        .hint("name a database of its own in `url`"));
    }
    let rows = link
        .send_raw(format!("SELECT version FROM `{database}`.schema_version"))
        .await?;
    rows.last().map_or(Ok(0), |row| row.int("version"))
}
