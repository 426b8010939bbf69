//! `migrate`: bring the stored data to the schema version of this program.

use serde_json::{Value, json};
use task_backends::{Migration, pending_migrations};
use task_core::{BackendSettings, Result, Settings};

use super::{Session, count_of};
use crate::args::MigrateArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::output::Output;

/// Takes the steps that are still to be taken, or prints them. Opening a backend takes them
/// as well; this command is for those who want to choose the moment.
pub(super) async fn migrate(args: &MigrateArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.store.form.json);
    let alias = &args.store.backend;
    let settings = Settings::load()?;
    let settings = connect::find(&settings, alias)?;
    let Some(plan) = Plan::of(alias, settings).await? else {
        // Has no schema; a kind that does not exist is refused here, and so is a newer store.
        let kept = connect::open(alias, settings, session).await?;
        let kind = kept.backend().kind();
        kept.backend().close().await;
        return none(alias, kind, output);
    };
    if !args.dry_run && !plan.steps.is_empty() {
        let opened = connect::open(alias, settings, session).await?;
        opened.backend().close().await;
    }
    plan.print(args.dry_run, output)
}

/// The steps that one backend needs.
pub(super) struct Plan<'a> {
    alias: &'a str,
    kind: String,
    /// Where it is: a file, or a database.
    file: String,
    /// The version it has now.
    pub(super) from: i64,
    /// The steps to the version of this program.
    pub(super) steps: Vec<Migration>,
}

impl<'a> Plan<'a> {
    /// Looks without changing anything; `None` for a backend without a schema.
    pub(super) async fn of(alias: &'a str, settings: &BackendSettings) -> Result<Option<Self>> {
        let Some(pending) = pending_migrations(settings).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            alias,
            kind: settings.backend.clone(),
            file: pending.place,
            from: pending.version,
            steps: pending.steps,
        }))
    }

    /// The version it has once the steps are taken.
    pub(super) fn to(&self) -> i64 {
        self.steps.last().map_or(self.from, |step| step.version)
    }

    fn print(&self, dry_run: bool, output: Output) -> Result<Exit, Trouble> {
        let Self {
            alias,
            kind,
            file,
            from,
            steps,
        } = self;
        if output.is_json() {
            let steps: Vec<Value> = steps
                .iter()
                .map(|step| json!({ "version": step.version, "name": step.name, "sql": step.sql }))
                .collect();
            output.json(&json!({
                "backend": alias, "kind": kind, "file": file, "from": from, "to": self.to(),
                "steps": steps, "dry_run": dry_run,
            }))?;
        } else if steps.is_empty() {
            output.line(&format!(
                "{alias}: {file} has schema version {from}, nothing to migrate"
            ))?;
        } else if dry_run {
            output.line(&format!(
                "-- {alias}: {file}, schema version {from} to {}",
                self.to()
            ))?;
            for step in steps {
                output.line(&format!(
                    "\n-- version {}: {}\n{}",
                    step.version,
                    step.name,
                    step.sql.trim_end()
                ))?;
            }
        } else {
            let steps = count_of(steps.len() as u64, "step");
            output.line(&format!(
                "{alias}: {file} migrated from schema version {from} to {} in {steps}",
                self.to()
            ))?;
        }
        Ok(Exit::Done)
    }
}

fn none(alias: &str, kind: &str, output: Output) -> Result<Exit, Trouble> {
    if output.is_json() {
        output.json(&json!({ "backend": alias, "kind": kind, "steps": [] }))?;
    } else {
        output.line(&format!(
            "{alias}: the {kind} backend has no schema, nothing to migrate"
        ))?;
    }
    Ok(Exit::Done)
}
