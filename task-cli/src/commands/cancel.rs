//! `cancel`: ask for tasks to end.

use serde_json::json;
use task_core::Cancellation;

use super::{Each, Session, ids};
use crate::args::ManyArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::output::raw;

/// Asks for the end of each task; one that cannot be asked does not keep the others from it.
pub(super) async fn cancel(args: &ManyArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.store.form.json);
    let ids = ids(&args.ids)?;
    connect::with(&args.store.backend, session, async |alias| {
        let mut each = Each::default();
        for id in ids {
            match alias.backend().cancel(id).await {
                Ok(cancellation) => {
                    let (outcome, words) = describe(cancellation);
                    each.done(
                        output,
                        raw(&json!({ "id": id, "outcome": outcome }))?,
                        &format!("{id} {words}"),
                    )?;
                }
                Err(error) => each.failed(id, &error),
            }
        }
        each.settle(output)
    })
    .await
}

/// For programs and for people.
fn describe(cancellation: Cancellation) -> (&'static str, &'static str) {
    match cancellation {
        Cancellation::Canceled => ("canceled", "is CANCELED"),
        Cancellation::Requested => ("requested", "is running and was asked to stop"),
        Cancellation::AlreadyFinished => ("already_finished", "had ended already; nothing was changed"),
        _ => ("unknown", "was asked to stop"),
    }
}
