//! `retry`: let failed or canceled tasks run again.

use super::{Each, Session, ids};
use crate::args::ManyArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};

/// Makes each task `READY` again; one that cannot be does not keep the others from it.
pub(super) async fn retry(args: &ManyArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.store.form.json);
    let ids = ids(&args.ids)?;
    connect::with(&args.store.backend, session, async |alias| {
        let admin = connect::admin(alias)?;
        let mut each = Each::default();
        for id in ids {
            match admin.retry(id).await {
                Ok(record) => each.done(output, record.to_json(), &format!("{id} is {}", record.status))?,
                Err(error) => each.failed(id, &error),
            }
        }
        each.settle(output)
    })
    .await
}
