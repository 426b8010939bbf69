//! Cron expressions: five fields, minute, hour, day of the month, month, day of the week.

use crate::suggest;

/// What an expression says, a bit for each value; the bits of `task_core::__private::Calendar`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cron {
    pub(crate) minutes: u64,
    pub(crate) hours: u64,
    pub(crate) days: u64,
    pub(crate) months: u64,
    pub(crate) weekdays: u64,
    pub(crate) either_day: bool,
}

const ACCEPTED: &str =
    "write minute, hour, day of the month, month and day of the week, such as `0 3 * * MON-FRI`";

/// Expressions that have a name.
const NAMED: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const MONTHS: &[&str] = &[
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The most days each month can have, from January on.
const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// One of the five.
struct Field {
    what: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field::new("minute", 0, 59, &[]),
    Field::new("hour", 0, 23, &[]),
    Field::new("day of the month", 1, 31, &[]),
    Field::new("month", 1, 12, MONTHS),
    // 7 is a Sunday, too.
    Field::new("day of the week", 0, 7, WEEKDAYS),
];

/// The expression, or a sentence that says what is wrong and what is accepted.
pub(crate) fn read(text: &str) -> Result<Cron, String> {
    let text = text.trim();
    let expression = match NAMED.iter().find(|(name, _)| *name == text) {
        Some((_, expression)) => expression,
        None if text.starts_with('@') => {
            let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "unknown schedule `{text}`{}",
                suggest::one_of(text, &names)
            ));
        }
        None => text,
    };
    let parts: Vec<&str> = expression.split_whitespace().collect();
    let Ok(parts) = <[&str; 5]>::try_from(parts.as_slice()) else {
        let seconds = match parts.len() {
            6 | 7 => ". There are no seconds and no years",
            _ => "",
        };
        return Err(format!(
            "a cron expression has five fields, `{text}` has {}{seconds}: {ACCEPTED}",
            parts.len()
        ));
    };
    let mut bits = [0; 5];
    for ((bits, field), part) in bits.iter_mut().zip(&FIELDS).zip(parts) {
        *bits = field.read(part)?;
    }
    let [minutes, hours, days, months, weekdays] = bits;
    let is_open = |part: &str| part.starts_with('*');
    let cron = Cron {
        minutes,
        hours,
        days,
        months,
        weekdays: (weekdays | weekdays >> 7) & 0x7f,
        either_day: !is_open(parts[2]) && !is_open(parts[4]),
    };
    if cron.never_comes() {
        return Err(format!(
            "`{text}` never comes: no month of it has a day {}",
            days.trailing_zeros()
        ));
    }
    Ok(cron)
}

impl Cron {
    fn never_comes(&self) -> bool {
        let first_day = self.days.trailing_zeros();
        let comes = |month: u32| self.months >> month & 1 == 1 && first_day <= LENGTHS[month as usize - 1];
        !self.either_day && !(1..=12).any(comes)
    }
}

impl Field {
    const fn new(what: &'static str, least: u32, most: u32, names: &'static [&'static str]) -> Self {
        Self {
            what,
            least,
            most,
            names,
        }
    }

    /// A list of values, ranges and steps.
    fn read(&self, part: &str) -> Result<u64, String> {
        part.split(',')
            .try_fold(0, |bits, item| Ok(bits | self.item(item)?))
    }

    fn item(&self, item: &str) -> Result<u64, String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(item, step)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(first)?, self.last(last)?),
            None if range == "*" => (self.least, self.most),
            None => {
                let first = self.value(range)?;
                // `5/15` goes on to the end.
                (first, if step.is_some() { self.most } else { first })
            }
        };
        if first > last {
            return Err(format!(
                "the range `{range}` of the {} goes backwards: write two, `{first}-{},{}-{last}`",
                self.what, self.most, self.least
            ));
        }
        let values = (first..=last).step_by(step.unwrap_or(1) as usize);
        Ok(values.fold(0, |bits, value| bits | 1 << value))
    }

    fn step(&self, item: &str, step: &str) -> Result<u32, String> {
        let read = step.parse().ok().filter(|step| (1..=self.most).contains(step));
        read.ok_or_else(|| {
            format!(
                "the step of `{item}` in the {} must be from 1 to {}: {ACCEPTED}",
                self.what, self.most
            )
        })
    }

    /// The end of a range: a week may end with its Sunday.
    fn last(&self, text: &str) -> Result<u32, String> {
        let is_sunday = |value: &u32| *value == 0 && self.most == 7;
        self.value(text)
            .map(|value| if is_sunday(&value) { 7 } else { value })
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            let value = text
                .parse()
                .ok()
                .filter(|value| (self.least..=self.most).contains(value));
            return value.ok_or_else(|| {
                format!(
                    "the {} is from {} to {}, this is {text}: {ACCEPTED}",
                    self.what, self.least, self.most
                )
            });
        }
        let found = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        // Names of months begin with 1, those of days with 0.
        let first = if self.least == 1 { 1 } else { 0 };
        match found.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => Ok(index + first),
            None if self.names.is_empty() => Err(format!("`{text}` is no {}: {ACCEPTED}", self.what)),
            None => Err(format!(
                "`{text}` is no {}{}",
                self.what,
                suggest::one_of(text, self.names)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(values: impl IntoIterator<Item = u32>) -> u64 {
        values.into_iter().fold(0, |bits, value| bits | 1 << value)
    }

    #[test]
    fn every_form_is_read() {
        let all = Cron {
            minutes: bits(0..60),
            hours: bits(0..24),
            days: bits(1..32),
            months: bits(1..13),
            weekdays: bits(0..7),
            either_day: false,
        };
        for (text, expected) in [
            ("* * * * *", all),
            (
                " 0 3 * *  mon-FRI",
                Cron {
                    minutes: 1,
                    hours: bits([3]),
                    weekdays: bits(1..6),
                    ..all
                },
            ),
            (
                "*/20 8-18/2 * jan,Dec 7",
                Cron {
                    minutes: bits([0, 20, 40]),
                    hours: bits([8, 10, 12, 14, 16, 18]),
                    months: bits([1, 12]),
                    weekdays: bits([0]),
                    ..all
                },
            ),
            (
                "5/15 0 13,14 * FRI",
                Cron {
                    minutes: bits([5, 20, 35, 50]),
                    hours: 1,
                    days: bits([13, 14]),
                    weekdays: bits([5]),
                    either_day: true,
                    ..all
                },
            ),
            (
                "0 0 29 2 *",
                Cron {
                    minutes: 1,
                    hours: 1,
                    days: bits([29]),
                    months: bits([2]),
                    ..all
                },
            ),
            (
                "0 0 * * SAT-SUN",
                Cron {
                    minutes: 1,
                    hours: 1,
                    weekdays: bits([0, 6]),
                    ..all
                },
            ),
            (
                "@weekly",
                Cron {
                    minutes: 1,
                    hours: 1,
                    weekdays: 1,
                    ..all
                },
            ),
            (
                "0 0 31 2 1",
                Cron {
                    minutes: 1,
                    hours: 1,
                    days: bits([31]),
                    months: bits([2]),
                    weekdays: bits([1]),
                    either_day: true,
                },
            ),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_is_accepted() {
        for (text, reason) in [
            ("", "a cron expression has five fields, `` has 0: write minute"),
            (
                "0 3 * *",
                "a cron expression has five fields, `0 3 * *` has 4: write",
            ),
            ("0 0 3 * * *", "has 6. There are no seconds and no years: write"),
            (
                "@dayly",
                "unknown schedule `@dayly`, did you mean `@daily`? Known: `@yearly`",
            ),
            ("60 * * * *", "the minute is from 0 to 59, this is 60"),
            ("0 24 * * *", "the hour is from 0 to 23, this is 24"),
            ("0 0 0 * *", "the day of the month is from 1 to 31, this is 0"),
            ("0 0 * 13 *", "the month is from 1 to 12, this is 13"),
            ("0 0 * * 8", "the day of the week is from 0 to 7, this is 8"),
            ("0 0 * * MOM", "`MOM` is no day of the week, did you mean `MON`?"),
            ("0 0 * MON *", "`MON` is no month"),
            ("noon 0 * * *", "`noon` is no minute: write"),
            ("0 0 L * *", "`L` is no day of the month: write"),
            ("-5 * * * *", "`` is no minute: write"),
            ("1,, * * * *", "`` is no minute"),
            (
                "*/0 * * * *",
                "the step of `*/0` in the minute must be from 1 to 59",
            ),
            ("*/x * * * *", "the step of `*/x`"),
            (
                "0 22-4 * * *",
                "the range `22-4` of the hour goes backwards: write two, `22-23,0-4`",
            ),
            (
                "0 3 31 2 *",
                "`0 3 31 2 *` never comes: no month of it has a day 31",
            ),
            ("0 3 31 4,6,9,11 *", "never comes"),
            ("0 3 30 FEB *", "no month of it has a day 30"),
            ("99999999999999999999 * * * *", "the minute is from 0 to 59"),
        ] {
            let refused = read(text).expect_err(text);
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
