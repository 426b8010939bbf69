//! The versions of the schema of an SQLite file.

use std::borrow::Cow;

use task_core::{Error, ErrorKind, Result};

use crate::sql::engine::{Engine, Link};
use crate::sql::schema::{Migration, pending};

/// Every step there ever was, in order.
pub(super) fn migrations() -> Vec<Migration> {
    vec![
        Migration {
            version: 1,
            name: "tasks",
            sql: Cow::Borrowed(include_str!("../../../../migrations/sqlite/0001_tasks.sql")),
        },
        Migration {
            version: 2,
            name: "metadata",
            sql: Cow::Borrowed(include_str!("../../../../migrations/sqlite/0002_metadata.sql")),
        },
        Migration {
            version: 3,
            name: "order",
            sql: Cow::Borrowed(include_str!("../../../../migrations/sqlite/0003_order.sql")),
        },
        Migration {
            version: 4,
            name: "unique",
            sql: Cow::Borrowed(include_str!("../../../../migrations/sqlite/0004_unique.sql")),
        },
    ]
}

/// Marks a file as ours in SQLite's header: "task" in ASCII.
const APPLICATION_ID: i64 = 0x7461_736b;

/// Brings the file to the latest version and returns the steps that were taken.
/// Processes that do this at the same time wait for each other; the later ones find
/// nothing left to do.
pub(super) async fn migrate(engine: &dyn Engine, link: &mut dyn Link) -> Result<Vec<Migration>> {
    let (_, steps) = pending(engine, link).await?;
    if steps.is_empty() {
        return Ok(steps);
    }
    execute(link, "BEGIN IMMEDIATE").await?;
    let applied = apply(engine, link).await;
    match applied {
        Ok(_) => execute(link, "COMMIT").await?,
        // The first error counts; a roll-back that fails adds nothing to it.
        Err(_) => execute(link, "ROLLBACK").await.unwrap_or(()),
    }
    applied
}

async fn apply(engine: &dyn Engine, link: &mut dyn Link) -> Result<Vec<Migration>> {
    // Looked at again inside the transaction: another process may have been faster.
    let (_, steps) = pending(engine, link).await?;
    for step in &steps {
        execute(link, &step.sql).await?;
    }
    if let Some(last) = steps.last() {
        let latest = last.version;
        execute(
            link,
            &format!("PRAGMA user_version = {latest}; PRAGMA application_id = {APPLICATION_ID}"),
        )
        .await?;
    }
    Ok(steps)
}

/// The version a file has.
///
/// # Errors
/// [`ErrorKind::Schema`] when it belongs to another program.
pub(super) async fn version(link: &mut dyn Link) -> Result<i64> {
    let version = number(link, "user_version").await?;
    let owner = number(link, "application_id").await?;
    if owner != APPLICATION_ID && (version != 0 || owner != 0) {
        return Err(Error::new(
            ErrorKind::Schema,
            "the SQLite file marks itself as another program's",
        )
        .hint(format!(
            "its application_id is {owner}, its user_version {version}; name another file in `url`"
        )));
    }
    Ok(version)
}

async fn number(link: &mut dyn Link, pragma: &str) -> Result<i64> {
    let rows = link.send_raw(format!("PRAGMA {pragma}")).await?;
    rows.first().map_or(Ok(0), |row| row.int(pragma))
}

async fn execute(link: &mut dyn Link, sql: &str) -> Result<()> {
    link.send_raw(sql.to_owned()).await.map(drop)
}
