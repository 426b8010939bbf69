//! `counts`: how many tasks of each queue are in each state.

use std::collections::BTreeMap;

use serde_json::json;
use task_core::{Count, TaskStatus};

use super::{Session, pause};
use crate::args::StoreArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::table::{Cell, Column, Table};

/// Counts tasks.
pub(super) async fn counts(args: &StoreArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.form.json);
    let (counts, paused) = connect::with(&args.backend, session, async |alias| {
        let admin = connect::admin(alias)?;
        Ok((admin.counts().await?, admin.paused().await?))
    })
    .await?;
    if output.is_json() {
        output.json(&json!(counts))?;
    } else if counts.is_empty() {
        output.hint("there is no task");
    } else {
        output.table(&table(&counts))?;
    }
    if !output.is_json() {
        pause::mention(&paused, output);
    }
    Ok(Exit::Done)
}

/// A row for each queue, a column for each state, the sums at the edges.
fn table(counts: &[Count]) -> Table {
    let titles = TaskStatus::ALL
        .iter()
        .map(|status| Column::number(status.as_str()));
    let mut table = Table::new(
        std::iter::once(Column::words("QUEUE"))
            .chain(titles)
            .chain([Column::number("ALL")]),
    );
    let mut queues: BTreeMap<&str, Vec<&Count>> = BTreeMap::new();
    for count in counts {
        queues.entry(&count.queue).or_default().push(count);
    }
    for (queue, counts) in &queues {
        table.row(row(queue, counts));
    }
    if queues.len() > 1 {
        table.row(row("(all)", &counts.iter().collect::<Vec<_>>()));
    }
    table
}

fn row(title: &str, counts: &[&Count]) -> Vec<Cell> {
    let sum = |wanted: &dyn Fn(&Count) -> bool| -> u64 {
        counts
            .iter()
            .filter(|count| wanted(count))
            .map(|count| count.tasks)
            .sum()
    };
    let states = TaskStatus::ALL
        .iter()
        .map(|status| sum(&|count| count.status == *status).to_string().into());
    std::iter::once(title.into())
        .chain(states)
        .chain([sum(&|_| true).to_string().into()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Screen;

    #[test]
    fn queues_are_rows_and_states_columns_within_eighty_characters() {
        let count = |queue: &str, status, tasks| Count {
            queue: queue.to_owned(),
            status,
            tasks,
        };
        let text = table(&[
            count("mail", TaskStatus::Failed, 2),
            count("mail", TaskStatus::Successful, 1_234_567),
            count("reports", TaskStatus::Ready, 3),
        ])
        .render(Screen {
            width: Some(80),
            colour: false,
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "QUEUE    WAITING  READY  RUNNING  SUCCESSFUL  FAILED  CANCELED      ALL",
                "mail           0      0        0     1234567       2         0  1234569",
                "reports        0      3        0           0       0         0        3",
                "(all)          0      3        0     1234567       2         0  1234572",
            ]
        );
    }
}
