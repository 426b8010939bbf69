//! `pause`, `resume` and `paused`: queues and tasks that no worker takes from for a while.

use serde_json::json;
use task_core::{Pausable, Paused};

use super::Session;
use crate::args::{PauseArgs, ResumeArgs, StoreArgs};
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::names::Names;
use crate::output::Output;
use crate::table::{Column, Table};

/// Pauses queues and tasks.
pub(super) async fn pause(args: &PauseArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let what = what(&args.queues, args.task.as_ref());
    set(&what, true, &args.store, session).await
}

/// Lets queues and tasks go on.
pub(super) async fn resume(args: &ResumeArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let what = what(&args.queues, args.task.as_ref());
    set(&what, false, &args.store, session).await
}

/// Lists what is paused.
pub(super) async fn paused(args: &StoreArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.form.json);
    let paused = connect::with(&args.backend, session, async |alias| {
        Ok(connect::admin(alias)?.paused().await?)
    })
    .await?;
    if output.is_json() {
        output.json(&json!(paused))?;
    } else if paused.is_empty() {
        output.hint("nothing is paused");
    } else {
        output.table(&table(&paused))?;
    }
    Ok(Exit::Done)
}

/// Says beside other output what is paused, if anything.
pub(super) fn mention(paused: &Paused, output: Output) {
    let queues = paused.queues.iter().map(|queue| format!("queue {queue}"));
    let tasks = paused.tasks.iter().map(|task| format!("task {task}"));
    let names: Vec<String> = queues.chain(tasks).collect();
    if !names.is_empty() {
        output.hint(&format!("paused: {}", names.join(", ")));
    }
}

fn what(queues: &[String], tasks: Option<&Names>) -> Vec<Pausable> {
    let tasks = tasks.into_iter().flat_map(Names::iter);
    let queues = queues.iter().cloned().map(Pausable::Queue);
    queues
        .chain(tasks.map(|task| Pausable::Task(task.to_owned())))
        .collect()
}

async fn set(
    what: &[Pausable],
    is_paused: bool,
    store: &StoreArgs,
    session: &Session<'_>,
) -> Result<Exit, Trouble> {
    let output = session.output(store.form.json);
    let paused = connect::with(&store.backend, session, async |alias| {
        let admin = connect::admin(alias)?;
        for what in what {
            admin.set_paused(what, is_paused).await?;
            if !output.is_json() {
                let (Pausable::Queue(name) | Pausable::Task(name)) = what;
                let kind = if matches!(what, Pausable::Queue(_)) {
                    "queue"
                } else {
                    "task"
                };
                let state = if is_paused { "is paused" } else { "goes on" };
                output.line(&format!("{kind} {name} {state}"))?;
            }
        }
        Ok(admin.paused().await?)
    })
    .await?;
    if output.is_json() {
        output.json(&json!(paused))?;
    }
    Ok(Exit::Done)
}

fn table(paused: &Paused) -> Table {
    let mut table = Table::new([Column::words("PAUSED"), Column::words("NAME")]);
    for queue in &paused.queues {
        table.row(["queue".into(), queue.as_str().into()]);
    }
    for task in &paused.tasks {
        table.row(["task".into(), task.as_str().into()]);
    }
    table
}
