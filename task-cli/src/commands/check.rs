//! `check`: whether settings, backends and tasks fit together.

use std::sync::Arc;

use serde_json::{Value, json};
use task_backends::DummyBackend;
use task_core::{
    BackendAlias, BackendKind, BackendSettings, Capabilities, Error, ErrorKind, NewTask, Result, Settings,
    TaskEntry, TaskId,
};

use super::migrate::Plan;
use super::{Session, by_crate, count_of};
use crate::args::CheckArgs;
use crate::connect;
use crate::exit::{Exit, Trouble, say};
use crate::output::Output;
use crate::table::{Cell, Colour, Column, Table};

/// Looks at everything, changes nothing and lists every problem. The first one decides the
/// exit code.
pub(super) async fn check(args: &CheckArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.form.json);
    let mut report = Report::default();
    if let Some(kinds) = report.keep(task_backends::kinds()) {
        report.kinds = kinds.iter().map(BackendKind::name).collect();
    }
    if let Some(settings) = report.keep(Settings::load()) {
        report.file = settings.file.as_ref().map(|file| file.display().to_string());
        for (alias, settings) in &settings.backends {
            let checked = Checked::look(alias, settings, session, &mut report).await;
            report.backends.push(checked);
        }
        report.check_tasks(session);
        for checked in &report.backends {
            checked.alias.backend().close().await;
        }
    }
    if let Ok(registry) = session.registry() {
        let idle = session.idle_crates(registry);
        report.warnings = idle
            .into_iter()
            .map(|name| format!("the crate `{name}` is named for its tasks, but has none"))
            .collect();
    }
    report.print(session, output)?;
    Ok(report
        .problems
        .first()
        .map_or(Exit::Done, |error| Exit::of(error.kind())))
}

/// One backend as it was found.
struct Checked {
    alias: BackendAlias,
    kind: String,
    /// Whether it can be opened; `None` when that was not tried.
    is_reachable: Option<bool>,
    /// What it can do; `None` when it was not opened.
    capabilities: Option<Capabilities>,
    /// The schema version, where there is one.
    schema: Option<i64>,
}

impl Checked {
    async fn look(
        name: &str,
        settings: &BackendSettings,
        session: &Session<'_>,
        report: &mut Report,
    ) -> Self {
        let plan = Plan::of(name, settings).await;
        let plan = report.keep(plan);
        let schema = plan.as_ref().and_then(Option::as_ref).map(|plan| plan.from);
        let (opened, is_reachable) = match &plan {
            // Opening it would say the same again.
            None => (None, Some(false)),
            // Opening it would take the steps.
            Some(Some(plan)) if !plan.steps.is_empty() => {
                report.problems.push(behind(name, plan, session));
                (None, None)
            }
            Some(_) => {
                let opened = report.keep(connect::open(name, settings, session).await);
                let is_reachable = opened.is_some();
                (opened, Some(is_reachable))
            }
        };
        Self {
            kind: settings.backend.clone(),
            is_reachable,
            capabilities: opened.as_ref().map(|alias| alias.backend().capabilities()),
            schema,
            alias: opened.unwrap_or_else(|| stand_in(name, settings)),
        }
    }

    fn queues(&self) -> String {
        let queues: Vec<&str> = self.alias.queues().iter().map(String::as_str).collect();
        if queues.is_empty() {
            "any".to_owned()
        } else {
            queues.join(", ")
        }
    }

    fn document(&self) -> Value {
        let capabilities: Option<Value> = self.capabilities.map(|can| {
            can.list()
                .into_iter()
                .map(|(name, can)| (name.to_owned(), json!(can)))
                .collect()
        });
        json!({
            "alias": self.alias.name(),
            "kind": self.kind,
            "reachable": self.is_reachable,
            "schema_version": self.schema,
            "queues": self.alias.queues(),
            "capabilities": capabilities,
        })
    }
}

fn behind(name: &str, plan: &Plan<'_>, session: &Session<'_>) -> Error {
    let message = format!(
        "the backend `{name}` has schema version {}, this program needs {}",
        plan.from,
        plan.to()
    );
    Error::new(ErrorKind::Schema, message).hint(format!(
        "`{} migrate --backend {name}` brings it there, as does the first program that opens it",
        session.program
    ))
}

/// Accepts what the settings say, in place of a backend that could not be opened.
fn stand_in(name: &str, settings: &BackendSettings) -> BackendAlias {
    let backend = Arc::new(DummyBackend::new());
    BackendAlias::new(name, backend, settings.queues.iter().cloned(), settings.limits)
}

/// What was found.
#[derive(Default)]
struct Report {
    file: Option<String>,
    /// The kinds of backend that settings may name.
    kinds: Vec<&'static str>,
    backends: Vec<Checked>,
    warnings: Vec<String>,
    problems: Vec<Error>,
}

impl Report {
    fn keep<T>(&mut self, outcome: Result<T>) -> Option<T> {
        outcome.map_err(|error| self.problems.push(error)).ok()
    }

    /// Whether each task's own backend accepts it with the options it was defined with.
    fn check_tasks(&mut self, session: &Session<'_>) {
        let Some(registry) = self.keep(session.tasks()) else {
            return;
        };
        for entry in registry.iter() {
            let alias = self
                .backends
                .iter()
                .find(|checked| checked.alias.name() == entry.default_backend());
            let fits = match alias {
                Some(checked) => checked.alias.check(&call_of(entry), entry),
                None => Err(self.no_backend(entry)),
            };
            let (file, line) = entry.place();
            self.keep(fits.map_err(|error| error.at(format!("task `{}` in {file}:{line}", entry.name()))));
        }
    }

    fn no_backend(&self, entry: &TaskEntry) -> Error {
        let known = self.backends.iter().map(|checked| checked.alias.name());
        let message = format!("the backend `{}` does not exist", entry.default_backend());
        Error::new(ErrorKind::InvalidBackend, message)
            .hint(task_core::suggest_one_of(entry.default_backend(), known))
    }

    fn print(&self, session: &Session<'_>, output: Output) -> Result<(), Trouble> {
        if output.is_json() {
            return output.json(&self.document(session));
        }
        let tasks = match session.registry() {
            Ok(registry) if !registry.is_empty() => {
                format!("{} ({})", registry.len(), by_crate(registry))
            }
            _ => "none".to_owned(),
        };
        let file = match &self.file {
            Some(file) => file.as_str(),
            // Settings that were read have at least one backend.
            None if self.backends.is_empty() => "not understood",
            None => "no file, defaults and environment",
        };
        output.fields(&[
            ("settings", file.to_owned()),
            ("tasks", tasks),
            ("kinds", self.kinds.join(", ")),
        ])?;
        if !self.backends.is_empty() {
            output.line("")?;
            output.table(&self.table())?;
        }
        let is_listing = !self.warnings.is_empty() || !self.problems.is_empty();
        if is_listing && !self.backends.is_empty() {
            output.line("")?;
        }
        for warning in &self.warnings {
            say(&format!("warning: {warning}"));
        }
        for problem in &self.problems {
            say(&format!("error: {problem}"));
        }
        if self.problems.is_empty() {
            output.line("\nall is well")
        } else {
            output.line(&format!("\n{}", count_of(self.problems.len() as u64, "problem")))
        }
    }

    /// A row for each property, a column for each backend.
    fn table(&self) -> Table {
        let aliases = self
            .backends
            .iter()
            .map(|checked| Column::words(checked.alias.name().to_owned()));
        let mut table = Table::new(std::iter::once(Column::text("BACKEND")).chain(aliases));
        let mut row = |title: &str, value: &dyn Fn(&Checked) -> Cell| {
            table.row(std::iter::once(title.into()).chain(self.backends.iter().map(value)));
        };
        row("kind", &|checked| checked.kind.as_str().into());
        row("reachable", &|checked| yes_or_no(checked.is_reachable));
        row("schema version", &|checked| {
            checked
                .schema
                .map_or_else(|| "-".to_owned(), |version| version.to_string())
                .into()
        });
        row("queues", &|checked| checked.queues().into());
        for (index, (name, _)) in Capabilities::NONE.list().into_iter().enumerate() {
            row(name, &|checked| {
                yes_or_no(checked.capabilities.map(|can| can.list()[index].1))
            });
        }
        table
    }

    fn document(&self, session: &Session<'_>) -> Value {
        let registry = session.registry().ok();
        json!({
            "ok": self.problems.is_empty(),
            "settings": self.file,
            "kinds": self.kinds,
            "tasks": registry.map(|registry| registry.len()),
            "crates": registry.map(|registry| registry.by_crate()),
            "backends": self.backends.iter().map(Checked::document).collect::<Vec<_>>(),
            "warnings": self.warnings,
            "problems": self.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

/// A call of this task with its own options, to ask a backend whether it fits.
fn call_of(entry: &TaskEntry) -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: entry.name().into(),
        queue: entry.default_queue().into(),
        priority: entry.default_priority(),
        run_after: None,
        arguments: "{}".into(),
        policy: entry.policy(),
        metadata: None,
        unique: None,
    }
}

fn yes_or_no(answer: Option<bool>) -> Cell {
    match answer {
        None => "-".into(),
        Some(true) => Cell::coloured("yes", Some(Colour::Green)),
        Some(false) => Cell::coloured("no", Some(Colour::Yellow)),
    }
}
