//! `top`: queues, rates and workers, live.

mod reader;
mod sample;
mod terminal;
mod view;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use task_core::{Error, ErrorKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use self::reader::Reader;
use self::sample::Sample;
use self::terminal::{Key, Terminal};
use self::view::{Fit, View};
use super::Session;
use crate::args::TopArgs;
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::output::Output;

/// How often the screen is drawn.
const DRAW_EVERY: Duration = Duration::from_secs(1);

/// Shows how the backend does, until somebody presses `q`; once where there is no terminal.
pub(super) async fn top(args: &TopArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let output = session.output(args.store.form.json);
    let is_live = !args.once && !output.is_json() && io::stdout().is_terminal();
    connect::with(&args.store.backend, session, async |alias| {
        let mut reader = Reader::new(connect::admin(alias)?, alias.name());
        if is_live {
            live(&mut reader, args).await
        } else {
            once(&mut reader, args, output).await
        }
    })
    .await
}

/// Looks twice, since a rate needs two looks, and prints what it saw.
async fn once(reader: &mut Reader<'_>, args: &TopArgs, output: Output) -> Result<Exit, Trouble> {
    reader.look().await?;
    tokio::time::sleep(DRAW_EVERY).await;
    let sample = reader.look_at_everything().await?;
    if output.is_json() {
        output.json(&sample.to_json())?;
    } else {
        let view = View::new(Fit::Queues(args.limit), 0);
        for line in view.draw(&sample, output.screen()) {
            output.line(&line)?;
        }
    }
    Ok(Exit::Done)
}

async fn live(reader: &mut Reader<'_>, args: &TopArgs) -> Result<Exit, Trouble> {
    let cannot = |error: io::Error| Error::new(ErrorKind::State, "cannot receive signals").because(error);
    let mut signals = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(cannot)?;
    let mut terminal = Terminal::open()?;
    let mut draws = tokio::time::interval(DRAW_EVERY);
    draws.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut page, mut last) = (0_usize, None::<Sample>);
    loop {
        tokio::select! {
            _ = draws.tick() => {
                // A store that is away comes back: the screen says so meanwhile.
                let trouble = match reader.look().await {
                    Ok(sample) => {
                        last = Some(sample);
                        None
                    }
                    Err(error) if error.is_retryable() => Some(error.to_string()),
                    Err(error) => return Err(error.into()),
                };
                terminal.show(last.as_ref(), trouble.as_deref(), args.limit, &mut page)?;
            }
            key = terminal.key() => {
                match key {
                    Key::Quit => return Ok(Exit::Done),
                    Key::Next => page += 1,
                    Key::Previous => page = page.saturating_sub(1),
                }
                terminal.show(last.as_ref(), None, args.limit, &mut page)?;
            }
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
            _ = signals.recv() => return Ok(Exit::Done),
            _ = hangup.recv() => return Ok(Exit::Done),
        }
    }
}
