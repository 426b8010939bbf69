//! Up to which tick the tasks of schedules are enqueued.

use std::sync::Arc;

use task_core::{Result, Timestamp};

use super::answer::{list, number};
use super::link::{Arguments, Link, Time, arguments};
use super::packed::timestamp;
use super::scripts;

/// The last tick of each of these schedules, which are known from then on.
pub(crate) async fn last_ticks(link: &Link, schedules: &[Arc<str>]) -> Result<Vec<Timestamp>> {
    if schedules.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked = Arguments::default();
    schedules.iter().for_each(|schedule| asked.push(&**schedule));
    let answer = link.call(&scripts::LAST_TICKS, 0, Time::Server, &asked).await?;
    let ticks = list(answer)?.into_iter();
    ticks.map(|tick| timestamp(number(tick)?)).collect()
}

/// Notes a tick.
pub(crate) async fn ticked(link: &Link, schedule: &str, tick: Timestamp) -> Result<()> {
    let mut asked = arguments([schedule]);
    asked.number(tick.as_microsecond());
    link.call(&scripts::TICKED, 0, Time::Server, &asked)
        .await
        .map(|_| ())
}
