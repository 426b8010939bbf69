//! The versions of the schema: which one a store has, and how it gets to ours.

use std::borrow::Cow;

use task_core::{Error, ErrorKind, Result};

use super::engine::{Engine, Link};

/// One step from a version of the schema to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The version the schema has afterwards.
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// The statements.
    pub sql: Cow<'static, str>,
}

/// The version that a store has now, and the steps that are still to be taken.
///
/// # Errors
/// [`ErrorKind::Schema`] when the store is newer than this program, or belongs to another one.
pub(crate) async fn pending(engine: &dyn Engine, link: &mut dyn Link) -> Result<(i64, Vec<Migration>)> {
    let version = engine.version(link).await?;
    let mut steps = engine.migrations();
    let latest = steps.last().map_or(0, |step| step.version);
    if version > latest {
        return Err(Error::new(
            ErrorKind::Schema,
            format!("the store has schema version {version}, this program knows up to {latest}"),
        )
        .hint("it was migrated by a newer version: update this program. Nothing was written"));
    }
    steps.retain(|step| step.version > version);
    Ok((version, steps))
}
