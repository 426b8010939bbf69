//! Lengths of time as people type and read them: `30s`, `1m 30s`, `500ms`, `14d`.

use std::time::Duration;

use jiff::fmt::friendly::SpanPrinter;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use task_core::RunAfter;

/// The shortest lease: a heartbeat needs time to arrive.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// The shortest pause between two looks at the backend.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// Reads a length of time. A day has 24 hours; months and years have no one length and
/// are refused.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(format!("it has no unit: `{text}s` are seconds"));
    }
    let span: Span = text
        .parse()
        .map_err(|_| "write it like 30s, 1m 30s, 500ms or 14d".to_owned())?;
    let length: SignedDuration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "the units are weeks, days, hours, minutes, seconds, ms, us and ns".to_owned())?;
    Duration::try_from(length).map_err(|_| "it must not be negative".to_owned())
}

/// Reads how long a worker may be silent.
pub(crate) fn parse_lease(text: &str) -> Result<Duration, String> {
    at_least(parse(text)?, SHORTEST_LEASE)
}

/// Reads the pause between two looks at the backend.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    at_least(parse(text)?, SHORTEST_INTERVAL)
}

fn at_least(length: Duration, least: Duration) -> Result<Duration, String> {
    if length < least {
        return Err(format!("it must be at least {}", show(least)));
    }
    Ok(length)
}

/// Reads a due time: a moment with its offset from UTC, or a length of time from now.
pub(crate) fn parse_run_after(text: &str) -> Result<RunAfter, String> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(RunAfter::At(moment));
    }
    parse(text).map(RunAfter::In).map_err(|_| {
        "write a moment with its offset, as in 2030-01-31T08:00:00Z, or a length of time such as 90s"
            .to_owned()
    })
}

/// The length of time in words: `1m 30s`.
pub(crate) fn show(length: Duration) -> String {
    SpanPrinter::new().unsigned_duration_to_string(&length)
}

/// How much of it one can feel: `12s`, `5m`, `3h`, `14d`.
pub(crate) fn show_roughly(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago this was, by this machine's clock; only for people, who can tell when
/// clocks differ. A moment to come is `0s` ago.
pub(crate) fn age(moment: Timestamp, now: Timestamp) -> String {
    show_roughly(Duration::try_from(now.duration_since(moment)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        for (text, ms) in [
            ("30s", 30_000),
            ("1m 30s", 90_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            ("14d", 1_209_600_000),
            ("2 weeks", 1_209_600_000),
            (" 0s ", 0),
            ("PT5M", 300_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_time_says_how_to_write_one() {
        for (text, expected) in [
            ("30", "`30s` are seconds"),
            ("0.5", "`0.5s` are seconds"),
            ("", "write it like"),
            ("soon", "write it like"),
            ("nan", "write it like"),
            ("30 sekunden", "write it like"),
            ("-5s", "negative"),
            ("5s ago", "negative"),
            ("1mo", "the units are"),
            ("1 year", "the units are"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_lease_has_at_least_a_second_and_an_interval_a_millisecond() {
        assert_eq!(parse_lease("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(parse_lease("999ms"), Err("it must be at least 1s".to_owned()));
        assert!(parse_interval("0s").is_err());
        assert!(parse_interval("1ms").is_ok());
    }

    #[test]
    fn a_due_time_is_a_moment_or_a_length_of_time() {
        let moment = "2030-01-31T08:00:00Z";
        assert_eq!(
            parse_run_after(moment),
            Ok(RunAfter::At(moment.parse().expect("a timestamp")))
        );
        assert_eq!(parse_run_after("90s"), Ok(RunAfter::In(Duration::from_secs(90))));
        let message = parse_run_after("2030-01-31T08:00:00").expect_err("no offset");
        assert!(message.contains("offset"), "{message}");
    }

    #[test]
    fn an_age_is_rough_and_never_negative() {
        let now = Timestamp::from_second(1_000_000).expect("in range");
        for (seconds_ago, expected) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m"),
            (7_200, "2h"),
            (172_800, "2d"),
            (-5, "0s"),
        ] {
            let moment = Timestamp::from_second(1_000_000 - seconds_ago).expect("in range");
            assert_eq!(age(moment, now), expected);
        }
        assert_eq!(show(Duration::from_millis(90_500)), "1m 30s 500ms");
    }
}
