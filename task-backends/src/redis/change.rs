//! Changes from outside a worker: cancel a task, let it run again, delete old ones.

use task_core::{CancelRequest, Cancellation, Error, ErrorKind, PruneRule, Result, TaskId, TaskStatus};

use super::answer::{list, next, number, text};
use super::enqueue::stamp;
use super::error::corrupt;
use super::link::{Arguments, Link, Time, each};
use super::record::{announce, id_argument};
use super::{enqueue, scripts};

/// What the shard that has the task answered; the others answer 0.
async fn on_its_shard(link: &Link, script: &scripts::Script, id: TaskId, more: &[String]) -> Result<i64> {
    let time = enqueue::time(link).await?;
    let mut asked = id_argument(id);
    more.iter().for_each(|text| asked.push(text));
    for (_, answer) in each(link, script, time, &asked).await? {
        let answer = number(answer)?;
        if answer != 0 {
            return Ok(answer);
        }
    }
    Err(Error::new(ErrorKind::NotFound, format!("no task {id}")))
}

pub(crate) async fn cancel(link: &Link, id: TaskId, request: &CancelRequest) -> Result<Cancellation> {
    request.check()?;
    let request =
        serde_json::to_string(request).map_err(|error| corrupt(format!("a request to cancel: {error}")))?;
    match on_its_shard(link, &scripts::CANCEL, id, &[request]).await? {
        1 => {
            announce(link, &[id]).await;
            Ok(Cancellation::Canceled)
        }
        2 => Ok(Cancellation::Requested),
        3 => Ok(Cancellation::AlreadyFinished),
        other => Err(corrupt(format!("an answer to cancel is {other}"))),
    }
}

pub(crate) async fn retry(link: &Link, id: TaskId) -> Result<()> {
    let state = match on_its_shard(link, &scripts::RETRY, id, &[]).await? {
        1 => return Ok(()),
        2 => TaskStatus::Successful.as_str(),
        _ => "not finished",
    };
    Err(Error::new(ErrorKind::State, format!("task {id} is {state}"))
        .hint("only a FAILED or CANCELED task can be run again"))
}

/// Deletes finished tasks, one segment of the log of a shard after another from the oldest on.
pub(crate) async fn prune(link: &Link, rule: &PruneRule) -> Result<u64> {
    let now = stamp(link, 0, None).await?.now;
    let before =
        |age: std::time::Duration| now.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
    let successful = before(rule.min_age);
    let failed = before(rule.failed_min_age.unwrap_or(rule.min_age));
    let queues =
        serde_json::to_string(&rule.queues).map_err(|error| corrupt(format!("queue names: {error}")))?;
    let mut deleted = 0;
    for shard in link.shards() {
        let mut behind = String::new();
        loop {
            let mut asked = Arguments::default();
            asked.push(&behind);
            asked.number(successful);
            asked.number(failed);
            asked.number(u8::from(rule.dry_run));
            asked.push(&queues);
            let answer = link.call(&scripts::PRUNE, shard, Time::At(now), &asked).await?;
            let mut answer = list(answer)?.into_iter();
            deleted += u64::try_from(number(next(&mut answer)?)?).unwrap_or(0);
            behind = text(next(&mut answer)?)?;
            if behind.is_empty() {
                break;
            }
        }
    }
    Ok(deleted)
}
