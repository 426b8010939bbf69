//! `list`: tasks, page by page.

use task_core::{Filter, Page, TaskPage, TaskRecord, TaskStatus, Timestamp};

use super::{Session, status_cell};
use crate::args::ListArgs;
use crate::exit::{Exit, Trouble};
use crate::names::Names;
use crate::output::{object, raw};
use crate::table::{Cell, Column, Table};
use crate::{connect, duration};

/// Lists one page of tasks and says where the next one starts.
pub(super) async fn list(args: &ListArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.store.form.json);
    let filter = Filter {
        statuses: args.status.clone(),
        queues: Names::filter(args.queue.as_ref()),
        names: Names::filter(args.task.as_ref()),
    };
    let page = Page {
        size: args.limit,
        after: args.after.clone(),
    };
    let page: TaskPage = connect::with(&args.store.backend, session, async |alias| {
        Ok(connect::admin(alias)?.list(&filter, &page).await?)
    })
    .await?;
    if output.is_json() {
        let tasks: Vec<_> = page.tasks.iter().map(TaskRecord::to_json).collect();
        output.json(&object([("tasks", raw(&tasks)?), ("next", raw(&page.next)?)])?)?;
    } else if page.tasks.is_empty() {
        output.hint("there is no such task");
    } else {
        output.table(&table(&page.tasks, Timestamp::now()))?;
        if let Some(next) = page.next {
            output.hint(&format!("there are more: --after {next}"));
        }
    }
    Ok(Exit::Done)
}

fn table(tasks: &[TaskRecord], now: Timestamp) -> Table {
    let is_waiting = tasks.iter().any(|task| due(task, now).is_some());
    let mut table = Table::new(
        [
            Column::text("ID"),
            Column::text("STATUS"),
            Column::path("TASK"),
            Column::words("QUEUE"),
            Column::number("AGE"),
        ]
        .into_iter()
        .chain(is_waiting.then(|| Column::number("DUE"))),
    );
    for task in tasks {
        let cells: [Cell; 5] = [
            task.id.to_string().into(),
            status_cell(task.status),
            (&*task.name).into(),
            (&*task.queue).into(),
            duration::age(task.enqueued_at, now).into(),
        ];
        let due = due(task, now).map_or_else(String::new, |due| format!("in {due}"));
        table.row(cells.into_iter().chain(is_waiting.then(|| due.into())));
    }
    table
}

/// How long a scheduled task still waits for its first attempt, by this machine's clock.
fn due(task: &TaskRecord, now: Timestamp) -> Option<String> {
    let is_new = task.status == TaskStatus::Ready && task.attempts == 0;
    let due = task.run_after.filter(|due| is_new && *due > now)?;
    Some(duration::age(now, due))
}
