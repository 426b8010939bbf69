//! `schedules`: which tasks enqueue themselves, and when.

use std::sync::Arc;

use serde_json::{Value, json};
use task_core::{Error, ErrorKind, Schedule, TaskEntry, Timestamp};

use super::Session;
use crate::args::StoreArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::table::{Column, Table};

/// One line of the list.
struct Line<'a> {
    entry: &'a TaskEntry,
    schedule: Schedule,
    last: Timestamp,
    next: Option<Timestamp>,
}

/// Lists the tasks of this backend that have a schedule. The backend knows their ticks from now on at the
/// latest, as it would from the start of a worker.
pub(super) async fn schedules(args: &StoreArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.form.json);
    let registry = session.registry()?;
    let scheduled: Vec<(&TaskEntry, Schedule)> = registry
        .iter()
        .filter(|entry| entry.default_backend() == args.backend)
        .filter_map(|entry| Some((entry, entry.schedule()?)))
        .collect();
    let names: Vec<Arc<str>> = scheduled.iter().map(|(entry, _)| entry.name().into()).collect();
    let last = connect::with(&args.backend, session, async |alias| {
        let no_workers = || {
            let message = format!("no worker can work on the backend `{}`", alias.name());
            Error::new(ErrorKind::Unsupported, message)
        };
        let queue = alias.backend().queue().ok_or_else(no_workers)?;
        Ok(queue.last_ticks(&names).await?)
    })
    .await?;
    let lines: Vec<Line<'_>> = scheduled
        .into_iter()
        .zip(last)
        .map(|((entry, schedule), last)| Line {
            entry,
            schedule,
            last,
            next: schedule.next_after(last),
        })
        .collect();
    if output.is_json() {
        output.json(&lines.iter().map(document).collect::<Value>())?;
    } else if lines.is_empty() {
        output.hint("no task has a schedule: #[task(every = \"5m\")] or #[task(cron = \"0 3 * * *\")]");
    } else {
        output.table(&table(&lines))?;
    }
    Ok(Exit::Done)
}

fn document(line: &Line<'_>) -> Value {
    json!({
        "task": line.entry.name(),
        "queue": line.entry.default_queue(),
        "schedule": line.schedule.text(),
        "timezone": line.schedule.timezone(),
        "missed": line.schedule.missed_policy().name(),
        "last_tick": line.last,
        "next_tick": line.next,
    })
}

fn table(lines: &[Line<'_>]) -> Table {
    let mut table = Table::new([
        Column::path("TASK"),
        Column::words("SCHEDULE"),
        Column::text("TIMEZONE"),
        Column::text("MISSED"),
        Column::text("LAST TICK"),
        Column::text("NEXT TICK"),
    ]);
    for line in lines {
        let next = line.next.map_or_else(|| "-".to_owned(), show);
        table.row([
            line.entry.name().into(),
            line.schedule.text().into(),
            line.schedule.timezone().unwrap_or("-").into(),
            line.schedule.missed_policy().name().into(),
            show(line.last).into(),
            next.into(),
        ]);
    }
    table
}

/// To the second; the last tick of a schedule that has not ticked yet is when it became known.
fn show(tick: Timestamp) -> String {
    format!("{tick:.0}")
}
