//! What each command does, and what all of them know.

mod cancel;
mod check;
mod completions;
mod counts;
mod enqueue;
mod list;
mod man;
mod migrate;
mod pause;
mod prune;
mod retry;
mod run;
mod schedules;
mod show;
mod tasks;
mod top;
mod wait;
mod workers;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use task_core::{Error, ErrorKind, Registry, Result, TaskId, TaskStatus};

use crate::args::Action;
use crate::exit::{Exit, Trouble, say};
use crate::output::{Output, object, raw};
use crate::table::{Cell, Colour};

/// What every command knows of the program it is part of.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// The crates the program was told to link for their tasks.
    pub(crate) crates: &'a [&'a str],
    /// How the program was called.
    pub(crate) program: String,
    /// Whether hints are not wanted.
    quiet: bool,
    registry: Result<Registry>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(crates: &'a [&'a str], registry: Result<Registry>, program: String) -> Self {
        Self {
            crates,
            program,
            quiet: false,
            registry,
        }
    }

    /// The same, saying nothing beside the output but what is wrong.
    pub(crate) fn quiet(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// The output of a command, for people or as JSON.
    fn output(&self, json: bool) -> Output {
        Output::new(json, self.quiet)
    }

    /// The tasks of the program. Commands that need none work although two tasks have one name.
    ///
    /// # Errors
    /// [`ErrorKind::Registry`] when two tasks have one name.
    pub(crate) fn registry(&self) -> Result<&Registry> {
        self.registry.as_ref().map_err(|error| {
            let again = Error::new(error.kind(), error.message().to_owned());
            match error.advice() {
                Some(advice) => again.hint(advice.to_owned()),
                None => again,
            }
        })
    }

    /// The tasks of the program, of which there is at least one.
    ///
    /// # Errors
    /// [`ErrorKind::Registry`] naming the cure when there is none.
    pub(crate) fn tasks(&self) -> Result<&Registry> {
        let registry = self.registry()?;
        if !registry.is_empty() {
            return Ok(registry);
        }
        let message = "no task is registered in this binary";
        let hint = match self.crates {
            [] => "Name the crates that have tasks: worker! { tasks = [your_crate] }".to_owned(),
            crates => format!(
                "Name the crates that have tasks: worker! {{ tasks = [your_crate] }}. \
                 Those named have no #[task]: {}",
                crates.join(", ")
            ),
        };
        Err(Error::new(ErrorKind::Registry, message).hint(hint))
    }

    /// The crates that were named for their tasks and brought none.
    pub(crate) fn idle_crates(&self, registry: &Registry) -> Vec<&'a str> {
        let brought = registry.by_crate();
        let crate_of = |name: &str| name.split("::").next().unwrap_or_default().replace('-', "_");
        self.crates
            .iter()
            .copied()
            .filter(|name| !brought.contains_key(crate_of(name).as_str()))
            .collect()
    }
}

/// Does what the command line says.
pub(crate) async fn act(action: &Action, session: &Session<'_>) -> Result<Exit, Trouble> {
    match action {
        Action::Run(args) => run::run(args, session).await,
        Action::Tasks(args) => tasks::tasks(args, session),
        Action::Enqueue(args) => enqueue::enqueue(args, session).await,
        Action::Show(args) => show::show(args, session).await,
        Action::List(args) => list::list(args, session).await,
        Action::Wait(args) => wait::wait(args, session).await,
        Action::Retry(args) => retry::retry(args, session).await,
        Action::Cancel(args) => cancel::cancel(args, session).await,
        Action::Pause(args) => pause::pause(args, session).await,
        Action::Resume(args) => pause::resume(args, session).await,
        Action::Paused(args) => pause::paused(args, session).await,
        Action::Prune(args) => prune::prune(args, session).await,
        Action::Migrate(args) => migrate::migrate(args, session).await,
        Action::Check(args) => check::check(args, session).await,
        Action::Counts(args) => counts::counts(args, session).await,
        Action::Workers(args) => workers::workers(args, session).await,
        Action::Schedules(args) => schedules::schedules(args, session).await,
        Action::Top(args) => top::top(args, session).await,
        Action::Completions(args) => completions::completions(args, session),
        Action::Man(args) => man::man(args, session),
    }
}

/// How many tasks each crate brought, in words: `app 3, billing 1`.
fn by_crate(registry: &Registry) -> String {
    let crates: Vec<String> = registry
        .by_crate()
        .into_iter()
        .map(|(name, tasks)| format!("{} {tasks}", if name.is_empty() { "by hand" } else { name }))
        .collect();
    crates.join(", ")
}

/// `1 task`, `2 tasks`.
fn count_of(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The state in the colour that says whether somebody should look.
fn status_cell(status: TaskStatus) -> Cell {
    Cell::coloured(
        status.as_str(),
        match status {
            TaskStatus::Successful => Some(Colour::Green),
            TaskStatus::Failed => Some(Colour::Red),
            TaskStatus::Canceled => Some(Colour::Yellow),
            TaskStatus::Running => Some(Colour::Blue),
            _ => None,
        },
    )
}

/// What came of doing something to one task after the other.
#[derive(Debug, Default)]
struct Each {
    done: Vec<Box<RawValue>>,
    failed: Vec<Value>,
    exit: Option<Exit>,
}

impl Each {
    /// One was done; `line` says so to people.
    fn done(&mut self, output: Output, document: Box<RawValue>, line: &str) -> Result<(), Trouble> {
        self.done.push(document);
        if output.is_json() {
            Ok(())
        } else {
            output.line(line)
        }
    }

    /// One was refused. The others go on; the first refusal decides the exit code.
    fn failed(&mut self, id: TaskId, error: &Error) {
        say(&format!("error: {error}"));
        self.failed.push(json!({ "id": id, "error": error.to_string() }));
        self.exit.get_or_insert(Exit::of(error.kind()));
    }

    fn settle(self, output: Output) -> Result<Exit, Trouble> {
        if output.is_json() {
            output.json(&object([
                ("tasks", raw(&self.done)?),
                ("errors", raw(&self.failed)?),
            ])?)?;
        }
        Ok(self.exit.unwrap_or(Exit::Done))
    }
}

/// Reads the ids before anything is done to the first.
fn ids(texts: &[String]) -> Result<Vec<TaskId>> {
    texts.iter().map(|text| text.parse()).collect()
}

#[cfg(test)]
mod tests {
    use task_core::{FailureKind, TaskEntry, TaskFailure};

    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::new();
        let entry = TaskEntry::new("app::greet", |_, _| {
            Box::pin(async { Err(TaskFailure::new(FailureKind::Error, "never run")) })
        });
        registry
            .insert(entry.located("app::mail", "app/src/mail.rs", 3))
            .expect("the only one");
        registry
    }

    #[test]
    fn a_program_without_tasks_is_told_how_to_get_some() {
        let session = Session::new(&["app"], Ok(Registry::new()), "worker".to_owned());
        let error = session.tasks().expect_err("no task");
        assert_eq!(Exit::of(error.kind()), Exit::Settings);
        let text = error.to_string();
        assert!(text.contains("no task is registered in this binary"), "{text}");
        assert!(
            text.contains("worker! { tasks = [your_crate] }. Those named have no #[task]: app"),
            "{text}"
        );
    }

    #[test]
    fn a_crate_that_brought_no_task_is_known() {
        let session = Session::new(
            &["app", "billing", "app::extra"],
            Ok(registry()),
            "worker".to_owned(),
        );
        let registry = session.tasks().expect("one task");
        assert_eq!(session.idle_crates(registry), ["billing"]);
        assert_eq!(by_crate(registry), "app 1");
    }

    #[test]
    fn two_tasks_of_one_name_are_told_each_time() {
        let error = Error::new(ErrorKind::Registry, "two tasks answer to `a`").hint("rename one");
        let session = Session::new(&[], Err(error), "worker".to_owned());
        for _ in 0..2 {
            let error = session.registry().expect_err("refused");
            assert_eq!(
                (error.message(), error.advice()),
                ("two tasks answer to `a`", Some("rename one"))
            );
        }
    }
}
