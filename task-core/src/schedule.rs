//! When a task enqueues itself: every so often, or at times of a calendar.

mod calendar;
mod tick;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

pub use self::calendar::Calendar;

/// The most missed ticks that [`Missed::All`] makes up for; older ones are left out.
pub const MOST_MISSED: usize = 100;

/// How late a tick may be enqueued under [`Missed::Skip`].
pub const SKIPPED_AFTER: Duration = Duration::from_secs(60);

/// What becomes of ticks that passed while no worker was there to enqueue them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Missed {
    /// They are left out. A tick that is at most [`SKIPPED_AFTER`] late still counts as in time.
    Skip,
    /// The latest of them is enqueued, however late; the others are left out.
    #[default]
    Once,
    /// Every one is enqueued, but at most the latest [`MOST_MISSED`].
    All,
}

impl Missed {
    /// The word for it in `#[task(missed = "..")]`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

/// The ticks of a task, each a moment at which it is enqueued.
///
/// `#[task(every = "5m")]` and `#[task(cron = "0 3 * * MON-FRI")]` make one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    ticks: Ticks,
    text: &'static str,
    pub(crate) missed: Missed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ticks {
    /// Whole multiples of so many milliseconds since 1970-01-01 00:00 UTC.
    Every(i64),
    Calendar(Calendar),
}

impl Schedule {
    /// A tick at every whole multiple of this time since 1970-01-01 00:00 UTC: `5m` at minutes 0, 5,
    /// 10 of every hour, `1d` at midnight UTC. `text` is how people see it.
    ///
    /// # Panics
    /// When the time is shorter than a second or longer than 3650 days.
    pub const fn every(text: &'static str, time: Duration) -> Self {
        let ms = time.as_millis();
        assert!(
            ms >= 1000 && ms <= 3650 * 86_400_000,
            "a schedule has from 1 s to 3650 days between ticks"
        );
        Self {
            ticks: Ticks::Every(ms as i64),
            text,
            missed: Missed::Once,
        }
    }

    /// For `#[task]`: a tick at these times of the calendar.
    #[doc(hidden)]
    pub const fn calendar(text: &'static str, calendar: Calendar) -> Self {
        Self {
            ticks: Ticks::Calendar(calendar),
            text,
            missed: Missed::Once,
        }
    }

    /// What becomes of missed ticks.
    #[must_use]
    pub const fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// What becomes of missed ticks.
    pub const fn missed_policy(&self) -> Missed {
        self.missed
    }

    /// The expression as it was written: `5m`, `0 3 * * MON-FRI`.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// The time zone of a cron expression; `None` for `every`, which knows none.
    pub const fn timezone(&self) -> Option<&'static str> {
        match &self.ticks {
            Ticks::Every(_) => None,
            Ticks::Calendar(calendar) => Some(calendar.zone),
        }
    }

    /// The next tick after this moment; `None` when there is none any more.
    ///
    /// # Behavior
    ///
    /// - A local time that a clock change leaves out ticks at the moment of the change; several such
    ///   times are one tick.
    /// - A local time that comes twice ticks when it comes for the first time.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        match &self.ticks {
            Ticks::Every(ms) => {
                let now = moment.as_millisecond();
                // A moment before 1970 may be rounded towards it: look from below.
                let whole = now.div_euclid(*ms).checked_sub(1)?;
                (0..4)
                    .filter_map(|step| whole.checked_add(step)?.checked_mul(*ms))
                    .filter_map(|tick| Timestamp::from_millisecond(tick).ok())
                    .find(|tick| *tick > moment)
            }
            Ticks::Calendar(calendar) => calendar.next_after(moment),
        }
    }

    /// The ticks after `last` up to and with `now`, oldest first, but at most the latest `most`.
    ///
    /// How long it takes does not depend on how long ago `last` was.
    pub fn due(&self, last: Timestamp, now: Timestamp, most: usize) -> Vec<Timestamp> {
        let mut window = Duration::from_secs(1);
        loop {
            let from = now.checked_sub(window).unwrap_or(Timestamp::MIN).max(last);
            let mut ticks = VecDeque::new();
            let mut moment = from;
            while let Some(tick) = self.next_after(moment).filter(|tick| *tick <= now) {
                if ticks.len() == most {
                    ticks.pop_front();
                }
                ticks.push_back(tick);
                moment = tick;
            }
            if from == last || last >= now || ticks.len() == most {
                return ticks.into();
            }
            window = window.saturating_mul(2);
        }
    }

    /// The ticks to enqueue at `now` by the policy for missed ones, oldest first, and the latest tick
    /// that is over with; `None` when no tick was due.
    pub fn to_enqueue(&self, last: Timestamp, now: Timestamp) -> Option<(Vec<Timestamp>, Timestamp)> {
        let most = match self.missed {
            Missed::All => MOST_MISSED,
            Missed::Skip | Missed::Once => 1,
        };
        let mut due = self.due(last, now, most);
        let latest = *due.last()?;
        if self.missed == Missed::Skip {
            let in_time = now.checked_sub(SKIPPED_AFTER).unwrap_or(Timestamp::MIN);
            due.retain(|tick| *tick >= in_time);
        }
        Some((due, latest))
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({}", self.text)?;
        if let Some(zone) = self.timezone() {
            write!(f, ", {zone}")?;
        }
        write!(f, ", missed {})", self.missed.name())
    }
}

#[cfg(test)]
mod tests;
