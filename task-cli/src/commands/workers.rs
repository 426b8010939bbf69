//! `workers`: who works, as the backend knows it.

use serde_json::json;
use task_core::{Timestamp, WorkerRecord};

use super::Session;
use crate::args::StoreArgs;
use crate::exit::{Exit, Trouble};
use crate::table::{Cell, Colour, Column, Table};
use crate::{connect, duration};

/// Lists the workers that joined and neither left nor were given up.
pub(super) async fn workers(args: &StoreArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.form.json);
    let workers = connect::with(&args.backend, session, async |alias| {
        Ok(connect::admin(alias)?.workers().await?)
    })
    .await?;
    if output.is_json() {
        output.json(&json!(workers))?;
    } else if workers.is_empty() {
        output.hint("there is no worker");
    } else {
        output.table(&table(&workers, Timestamp::now()))?;
    }
    Ok(Exit::Done)
}

fn table(workers: &[WorkerRecord], now: Timestamp) -> Table {
    let mut table = Table::new([
        Column::words("WORKER"),
        Column::words("HOST"),
        Column::number("PID"),
        Column::words("QUEUES"),
        Column::number("CLAIMED"),
        Column::number("AT A TIME"),
        Column::number("UP"),
        Column::text("LEASE"),
    ]);
    for worker in workers {
        table.row([
            worker.id.as_str().into(),
            worker.host.as_str().into(),
            worker.pid.to_string().into(),
            worker.queues.as_str().into(),
            worker.claimed.to_string().into(),
            worker.concurrency.to_string().into(),
            duration::age(worker.started_at, now).into(),
            lease(worker, now),
        ]);
    }
    table
}

/// How long the lease still runs, by this machine's clock: a hint, not a verdict.
pub(super) fn lease(worker: &WorkerRecord, now: Timestamp) -> Cell {
    if worker.lease_until < now {
        let text = format!("ran out {} ago", duration::age(worker.lease_until, now));
        return Cell::coloured(text, Some(Colour::Red));
    }
    format!("{} left", duration::age(now, worker.lease_until)).into()
}
