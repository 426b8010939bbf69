//! `prune`: delete what finished long ago.

use serde_json::json;
use task_core::PruneRule;

use super::{Session, count_of};
use crate::args::PruneArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::names::Names;

/// Deletes finished tasks of a certain age, or only counts them.
pub(super) async fn prune(args: &PruneArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.store.form.json);
    let rule = PruneRule {
        min_age: args.min_age,
        failed_min_age: args.failed_min_age,
        queues: Names::filter(Some(&args.queue)),
        dry_run: args.dry_run,
    };
    connect::with(&args.store.backend, session, async |alias| {
        for queue in &rule.queues {
            // Tasks may be left in a queue that the settings do not list any more.
            if let Err(error) = alias.check_queue(queue) {
                tracing::warn!("{error}");
            }
        }
        let pruned = connect::admin(alias)?.prune(&rule).await?;
        if output.is_json() {
            output.json(&json!({ "tasks": pruned, "dry_run": rule.dry_run }))?;
        } else {
            let did = if rule.dry_run { "would delete" } else { "deleted" };
            output.line(&format!("{did} {}", count_of(pruned, "task")))?;
        }
        Ok(Exit::Done)
    })
    .await
}
