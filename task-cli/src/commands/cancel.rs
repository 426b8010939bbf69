//! `cancel`: ask for tasks to end.

use serde_json::json;
use task_core::{CancelRequest, Cancellation};

use super::{Each, Session, ids};
use crate::args::CancelArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::output::raw;

/// Asks for the end of each task; one that cannot be asked does not keep the others from it.
pub(super) async fn cancel(args: &CancelArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.store.form.json);
    let ids = ids(&args.ids)?;
    let request = CancelRequest {
        by: Some(args.by.clone().unwrap_or_else(whoever)),
        reason: args.reason.clone(),
    };
    request.check()?;
    connect::with(&args.store.backend, session, async |alias| {
        let mut each = Each::default();
        for id in ids {
            match alias.backend().cancel(id, &request).await {
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

/// Who types this, as far as the machine knows: `user@host`.
fn whoever() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    format!("{user}@{}", task_worker::host_name())
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
