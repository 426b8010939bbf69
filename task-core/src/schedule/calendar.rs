//! Times of a calendar in a time zone, and what clock changes do to them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

/// How many days are searched for a tick: February 29 comes at least every eight years.
const DAYS_AHEAD: u32 = 9 * 366;

/// The fields of a cron expression, read, and their time zone. A bit says that the value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct Calendar {
    /// Bits 0 to 59.
    pub minutes: u64,
    /// Bits 0 to 23.
    pub hours: u32,
    /// Bits 1 to 31.
    pub days: u32,
    /// Bits 1 to 12.
    pub months: u16,
    /// Bits 0, Sunday, to 6.
    pub weekdays: u8,
    /// A day matches by its number or by its weekday, since both were given; else by both.
    pub either_day: bool,
    /// A name of the IANA time zone database.
    pub zone: &'static str,
}

impl Calendar {
    pub(super) fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let zone = zone(self.zone)?;
        let local = zone.to_datetime(moment);
        // Earlier local times have ticked: their moments are never later than those of later ones.
        let mut from = local.date().at(local.hour(), local.minute(), 0, 0);
        for _ in 0..DAYS_AHEAD {
            let date = from.date();
            if self.has_day(date) {
                let ticks = self.times_from(from);
                let found = ticks
                    .filter_map(|time| moment_of(time, &zone))
                    .find(|tick| *tick > moment);
                if found.is_some() {
                    return found;
                }
            }
            from = date.tomorrow().ok()?.at(0, 0, 0, 0);
        }
        None
    }

    fn has_day(&self, date: Date) -> bool {
        let number = self.days >> date.day() & 1 == 1;
        let weekday = self.weekdays >> date.weekday().to_sunday_zero_offset() & 1 == 1;
        self.months >> date.month() & 1 == 1
            && if self.either_day {
                number || weekday
            } else {
                number && weekday
            }
    }

    /// The times of this day that match, not before this one.
    fn times_from(&self, from: DateTime) -> impl Iterator<Item = DateTime> + '_ {
        let hours = (from.hour()..24).filter(|hour| self.hours >> hour & 1 == 1);
        hours.flat_map(move |hour| {
            let first = if hour == from.hour() { from.minute() } else { 0 };
            let minutes = (first..60).filter(|minute| self.minutes >> minute & 1 == 1);
            minutes.map(move |minute| from.date().at(hour, minute, 0, 0))
        })
    }
}

/// A zone by its name: as the machine knows it, else as it was when the program was built.
fn zone(name: &str) -> Option<TimeZone> {
    let known = TimeZone::get(name);
    known.or_else(|_| TimeZoneDatabase::bundled().get(name)).ok()
}

/// When this local time is: of two the earlier one; for none the moment of the change that leaves it out.
fn moment_of(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            let before_the_change: Timestamp = after.to_timestamp(time).ok()?;
            let changes = zone.following(before_the_change).next();
            changes.map(|change| change.timestamp())
        }
    }
}
