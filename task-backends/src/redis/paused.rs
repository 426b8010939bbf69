//! What no worker takes tasks from.

use redis::Value;
use task_core::{Pausable, Paused, Result};

use super::answer::{list, text};
use super::error::corrupt;
use super::link::{Arguments, Link, Time, arguments};
use super::scripts;

/// Pauses this for all workers, or lets it go on.
pub(crate) async fn set(link: &Link, what: &Pausable, is_paused: bool) -> Result<()> {
    let field = match what {
        Pausable::Queue(queue) => format!("q{queue}"),
        Pausable::Task(task) => format!("t{task}"),
    };
    let mut asked = arguments([&field]);
    asked.number(u8::from(is_paused));
    link.call(&scripts::PAUSE, 0, Time::Server, &asked)
        .await
        .map(|_| ())
}

/// What is paused.
pub(crate) async fn paused(link: &Link) -> Result<Paused> {
    let asked = Arguments::default();
    let answer = link.call(&scripts::PAUSED, 0, Time::Server, &asked).await?;
    read(list(answer)?.into_iter())
}

/// What a script says is paused.
pub(crate) fn read(fields: impl Iterator<Item = Value>) -> Result<Paused> {
    let mut paused = Paused::default();
    for field in fields {
        let field = text(field)?;
        paused.add(if let Some(queue) = field.strip_prefix('q') {
            Pausable::Queue(queue.to_owned())
        } else if let Some(task) = field.strip_prefix('t') {
            Pausable::Task(task.to_owned())
        } else {
            return Err(corrupt(format!("something paused called `{field}`")));
        });
    }
    Ok(paused)
}
