//! Durations as people write them: `30s`, `1m 30s`, `1h30m`.

const SECOND: u64 = 1000;
const DAY: u64 = 24 * 60 * 60 * SECOND;

/// The longest duration that is accepted; more is a slip of the finger, and would overflow a clock somewhere.
const LONGEST_MS: u64 = 3650 * DAY;

const ACCEPTED: &str =
    "write whole numbers with the units ms, s, m, h or d, such as `30s`, `1m 30s` or `1h30m`";

/// The duration in milliseconds, or a sentence that says what is wrong and what is accepted.
pub(crate) fn milliseconds(text: &str) -> Result<u64, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(format!("an empty duration: {ACCEPTED}"));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |letter| letter.is_ascii_digit());
        let (unit, after) = split_while(after.trim_start(), char::is_alphabetic);
        if number.is_empty() {
            return Err(format!("{}: {ACCEPTED}", without_number(text)));
        }
        if after.starts_with(['.', ',']) {
            return Err(format!("`{text}` has a fraction: {ACCEPTED}"));
        }
        if unit.is_empty() {
            return Err(format!("`{number}` in `{text}` has no unit: {ACCEPTED}"));
        }
        let factor = factor(unit).ok_or_else(|| unknown_unit(text, unit))?;
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= LONGEST_MS)
            .ok_or_else(|| format!("`{text}` is too long: at most 3650d"))?;
        rest = after.trim_start();
    }
    if total == 0 {
        return Err(format!(
            "`{text}` is no time at all: a duration must be more than zero"
        ));
    }
    Ok(total)
}

fn factor(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" => 1,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 60 * 60 * SECOND,
        "d" => DAY,
        _ => return None,
    })
}

fn without_number(text: &str) -> String {
    if text.trim_start().starts_with('-') {
        format!("`{text}` is negative")
    } else {
        format!("`{text}` is not a duration")
    }
}

fn unknown_unit(text: &str, unit: &str) -> String {
    let hint = match unit.to_lowercase().as_str() {
        "msec" | "msecs" | "milli" | "millis" | "millisecond" | "milliseconds" => ", did you mean `ms`?",
        "s" | "sec" | "secs" | "second" | "seconds" => ", did you mean `s`?",
        "m" | "min" | "mins" | "minute" | "minutes" => ", did you mean `m`?",
        "h" | "hr" | "hrs" | "hour" | "hours" => ", did you mean `h`?",
        "d" | "day" | "days" => ", did you mean `d`?",
        "w" | "week" | "weeks" => ", a week is `7d`:",
        _ => ":",
    };
    let accepted = if hint.ends_with('?') {
        ACCEPTED.replacen('w', "W", 1)
    } else {
        ACCEPTED.to_owned()
    };
    format!("unknown unit `{unit}` in `{text}`{hint} {accepted}")
}

fn split_while(text: &str, accept: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !accept(letter)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_their_combinations_are_read() {
        for (text, expected) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("30 s", 30_000),
            ("1m 30s", 90_000),
            ("1h30m", 5_400_000),
            (" 2d ", 172_800_000),
            ("0h 1s", 1000),
            ("3650d", LONGEST_MS),
        ] {
            assert_eq!(milliseconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn bad_text_is_refused_with_what_is_accepted() {
        for (text, reason) in [
            ("", "an empty duration"),
            ("soon", "`soon` is not a duration"),
            ("30", "`30` in `30` has no unit"),
            ("1h30", "`30` in `1h30` has no unit"),
            ("1.5h", "`1.5h` has a fraction"),
            ("-3s", "`-3s` is negative"),
            ("5 parsecs", "unknown unit `parsecs` in `5 parsecs`: write"),
            ("30S", "unknown unit `S` in `30S`, did you mean `s`? Write"),
            ("5min", "unknown unit `min` in `5min`, did you mean `m`?"),
            (
                "30 Seconds",
                "unknown unit `Seconds` in `30 Seconds`, did you mean `s`?",
            ),
            ("2w", "unknown unit `w` in `2w`, a week is `7d`: write"),
        ] {
            let error = milliseconds(text).expect_err(text);
            assert!(error.starts_with(reason), "{text}: {error}");
            assert!(error.contains("such as `30s`"), "{text}: {error}");
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(
            milliseconds("0s").expect_err("zero").split(':').next(),
            Some("`0s` is no time at all")
        );
        for text in ["3651d", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(
                milliseconds(text),
                Err(format!("`{text}` is too long: at most 3650d"))
            );
        }
    }
}
