//! A terminal that shows one screen and hears keys without Enter.

use std::io::{self, Read as _, Write as _};

use rustix::stdio;
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use task_core::{Error, ErrorKind};
use tokio::sync::mpsc;

use super::sample::Sample;
use super::view::{Fit, View};
use crate::exit::Trouble;
use crate::table::{Screen, printable};

/// Another screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";

/// Back to the screen there was.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// To the first place, line by line without what stood there, and nothing below.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K\r\n";
const CLEAR_REST: &str = "\x1b[J";

/// How many keys may wait.
const KEYS: usize = 16;

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// `q`.
    Quit,
    /// `n` or a blank: the next page of queues.
    Next,
    /// `p` or `b`.
    Previous,
}

impl Key {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            b'q' | b'Q' => Some(Self::Quit),
            b'n' | b' ' => Some(Self::Next),
            b'p' | b'b' => Some(Self::Previous),
            _ => None,
        }
    }
}

/// The terminal, as it was when this is dropped.
pub(super) struct Terminal {
    /// How it treated keys before, where they come from a terminal at all.
    before: Option<Termios>,
    keys: mpsc::Receiver<Key>,
}

impl Terminal {
    pub(super) fn open() -> Result<Self, Trouble> {
        let cannot = |error: rustix::io::Errno| {
            Error::new(ErrorKind::State, "cannot read keys from the terminal")
                .hint("`--once` prints one page")
                .because(io::Error::from(error))
        };
        let before = if isatty(stdio::stdin()) {
            let before = tcgetattr(stdio::stdin()).map_err(cannot)?;
            let mut modes = before.clone();
            // Keys come at once and are not shown; Ctrl-C stays a signal.
            modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            tcsetattr(stdio::stdin(), OptionalActions::Now, &modes).map_err(cannot)?;
            Some(before)
        } else {
            None
        };
        let (sender, keys) = mpsc::channel(KEYS);
        if before.is_some() {
            // It waits for a key for ever and ends with the process.
            std::thread::spawn(move || {
                for byte in io::stdin().lock().bytes().map_while(Result::ok) {
                    if let Some(key) = Key::of(byte)
                        && sender.blocking_send(key).is_err()
                    {
                        return;
                    }
                }
            });
        }
        let terminal = Self { before, keys };
        write(ENTER)?;
        Ok(terminal)
    }

    /// The next key; never, where none can come.
    pub(super) async fn key(&mut self) -> Key {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }

    /// Draws a page, and what is wrong. A page behind the last one is the last one.
    pub(super) fn show(
        &mut self,
        sample: Option<&Sample>,
        trouble: Option<&str>,
        limit: usize,
        page: &mut usize,
    ) -> Result<(), Trouble> {
        let (width, height) = terminal_size::terminal_size().map_or((80, 24), |(width, height)| {
            (usize::from(width.0), usize::from(height.0))
        });
        let screen = Screen {
            width: Some(width),
            colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let mut lines = Vec::new();
        if let Some(trouble) = trouble {
            lines.extend(trouble.lines().map(printable));
        }
        if let Some(sample) = sample {
            let room = height.saturating_sub(2 + lines.len());
            let fit = Fit::Lines(room.min(limit.saturating_mul(2).saturating_add(20)));
            *page = (*page).min(View::new(fit, 0).last_page(sample));
            lines.extend(View::new(fit, *page).draw(sample, screen));
        }
        lines.truncate(height.saturating_sub(2));
        let mut text = HOME.to_owned();
        for line in lines {
            text.push_str(&fitted(&line, width));
            text.push_str(CLEAR_LINE);
        }
        text.push_str(CLEAR_LINE);
        text.push_str("q ends, n and p turn the page of queues");
        text.push_str("\x1b[K");
        text.push_str(CLEAR_REST);
        write(&text)?;
        Ok(())
    }
}

/// A line without what would go over the edge. Lines with colours were fitted as a table.
fn fitted(line: &str, width: usize) -> String {
    if line.contains('\x1b') || line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width).collect()
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone cannot be put in order.
        let _ = write(LEAVE);
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Now, before);
        }
    }
}
