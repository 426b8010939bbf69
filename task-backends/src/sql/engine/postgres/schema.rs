//! The versions of a PostgreSQL schema.

use std::borrow::Cow;

use task_core::{Error, ErrorKind, Result};

use crate::sql::engine::{Engine, Link};
use crate::sql::schema::{Migration, pending};

/// Every step there ever was, in order, for a schema of this name.
pub(super) fn migrations(schema: &str) -> Vec<Migration> {
    let steps = [
        (
            1,
            "tasks",
            include_str!("../../../../migrations/postgres/0001_tasks.sql"),
        ),
        (
            2,
            "unique",
            include_str!("../../../../migrations/postgres/0002_unique.sql"),
        ),
    ];
    steps
        .into_iter()
        .map(|(version, name, sql)| {
            let create = if version == 1 {
                create(schema)
            } else {
                String::new()
            };
            Migration {
                version,
                name,
                // For this transaction only: names need no schema in what follows.
                sql: Cow::Owned(format!(
                    "{BEGIN}{create}SET LOCAL search_path TO \"{schema}\";\n{sql}{COMMIT}"
                )),
            }
        })
        .collect()
}

/// What each step begins and ends with, for people who run it by hand.
const BEGIN: &str = "BEGIN;\n";
const COMMIT: &str = "COMMIT;\n";

fn create(schema: &str) -> String {
    format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\";\n")
}

/// Brings the schema to the latest version and returns the steps that were taken.
/// Processes that do this at the same time wait for each other; the later ones find
/// nothing left to do.
pub(super) async fn migrate(
    engine: &dyn Engine,
    schema: &str,
    link: &mut dyn Link,
) -> Result<Vec<Migration>> {
    let (_, steps) = pending(engine, link).await?;
    if steps.is_empty() {
        return Ok(steps);
    }
    execute(link, "BEGIN".to_owned()).await?;
    let applied = apply(engine, schema, link).await;
    match applied {
        Ok(_) => execute(link, "COMMIT".to_owned()).await?,
        // The first error counts; a roll-back that fails adds nothing to it.
        Err(_) => execute(link, "ROLLBACK".to_owned()).await.unwrap_or(()),
    }
    applied
}

async fn apply(engine: &dyn Engine, schema: &str, link: &mut dyn Link) -> Result<Vec<Migration>> {
    execute(
        link,
        // A step may take as long as it takes.
        format!(
            "SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true); \
             SELECT pg_advisory_xact_lock({})",
            lock_number(schema)
        ),
    )
    .await?;
    // Looked at again: another process may have been faster.
    let (_, steps) = pending(engine, link).await?;
    let exists = link
        .send_raw(format!(
            "SELECT 1 AS one FROM pg_namespace WHERE nspname = '{schema}'"
        ))
        .await?;
    let create = create(schema);
    for step in &steps {
        // All steps are one transaction here.
        let sql = step.sql.strip_prefix(BEGIN).unwrap_or(&step.sql);
        let sql = sql.strip_suffix(COMMIT).unwrap_or(sql);
        // Whoever may use a schema need not be allowed to make one.
        let sql = match sql.strip_prefix(&*create) {
            Some(rest) if !exists.is_empty() => rest,
            _ => sql,
        };
        execute(link, sql.to_owned()).await?;
    }
    if let Some(last) = steps.last() {
        let version = last.version;
        execute(
            link,
            format!("UPDATE \"{schema}\".schema_version SET version = {version}"),
        )
        .await?;
    }
    Ok(steps)
}

/// The version a schema has; 0 when nothing of ours is in it.
///
/// # Errors
/// [`ErrorKind::Schema`] when tables of other programs stand in the way.
pub(super) async fn version(schema: &str, link: &mut dyn Link) -> Result<i64> {
    let found = link
        .send_raw(format!(
            "SELECT count(*) FILTER (WHERE c.relname = 'schema_version') AS ours, \
                 count(*) FILTER (WHERE c.relname IN ('task', 'lane', 'ready', 'result', 'tasks')) AS others \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{schema}'"
        ))
        .await?;
    let Some(row) = found.last() else { return Ok(0) };
    if row.int("ours")? == 0 {
        if row.int("others")? == 0 {
            return Ok(0);
        }
        return Err(Error::new(
            ErrorKind::Schema,
            format!("the schema `{schema}` has tables of another program"),
        )
        .hint("name a schema of its own in `schema`"));
    }
    let rows = link
        .send_raw(format!("SELECT version FROM \"{schema}\".schema_version"))
        .await?;
    rows.last().map_or(Ok(0), |row| row.int("version"))
}

/// The number of the lock that whoever migrates this schema holds: FNV-1a of a name.
fn lock_number(schema: &str) -> i64 {
    let name = format!("tasks migrate {schema}");
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

async fn execute(link: &mut dyn Link, sql: String) -> Result<()> {
    link.send_raw(sql).await.map(drop)
}
