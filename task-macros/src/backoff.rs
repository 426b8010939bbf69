//! How long to wait between attempts, as people write it: `exponential 1s..10m jitter`.

use crate::duration;
use crate::suggest;

/// How a wait grows from failure to failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    Fixed,
    Linear,
    Exponential,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) growth: Growth,
    pub(crate) first_ms: u64,
    pub(crate) limit_ms: u64,
    pub(crate) jitter: bool,
}

const ACCEPTED: &str =
    "write `exponential 1s..10m`, `linear 10s..5m` or `fixed 30s`, each with ` jitter` behind it or not";

/// The backoff, or a sentence that says what is wrong and what is accepted.
pub(crate) fn read(text: &str) -> Result<Backoff, String> {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let growth = match word {
        "fixed" => Growth::Fixed,
        "linear" => Growth::Linear,
        "exponential" => Growth::Exponential,
        _ => return Err(unknown(word)),
    };
    let (waits, jitter) = match rest.trim().strip_suffix("jitter") {
        Some(waits) => (waits.trim_end(), true),
        None => (rest.trim(), false),
    };
    if waits.is_empty() {
        return Err(format!("`{text}` does not say how long: {ACCEPTED}"));
    }
    let (first, limit) = match (growth, waits.split_once("..")) {
        (Growth::Fixed, None) => (waits, waits),
        (Growth::Fixed, Some(_)) => {
            return Err(format!(
                "a fixed wait has no range, and `{waits}` is one: {ACCEPTED}"
            ));
        }
        (_, Some((first, limit))) => (first.trim(), limit.trim_start_matches('=').trim()),
        (_, None) => {
            return Err(format!(
                "`{waits}` does not say how long the wait may become: {ACCEPTED}"
            ));
        }
    };
    let (first_ms, limit_ms) = (duration::milliseconds(first)?, duration::milliseconds(limit)?);
    if first_ms > limit_ms {
        return Err(format!(
            "the wait `{first}` is longer than its limit `{limit}`: {ACCEPTED}"
        ));
    }
    Ok(Backoff {
        growth,
        first_ms,
        limit_ms,
        jitter,
    })
}

fn unknown(word: &str) -> String {
    let hint = suggest::did_you_mean(word, &["fixed", "linear", "exponential"]);
    format!("a backoff begins with `exponential`, `linear` or `fixed`, not with `{word}`{hint}: {ACCEPTED}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let backoff = |growth, first_ms, limit_ms, jitter| Backoff {
            growth,
            first_ms,
            limit_ms,
            jitter,
        };
        for (text, expected) in [
            (
                "exponential 1s..10m jitter",
                backoff(Growth::Exponential, 1_000, 600_000, true),
            ),
            (
                " exponential 250ms .. 1m 30s ",
                backoff(Growth::Exponential, 250, 90_000, false),
            ),
            (
                "linear 5s..5m jitter",
                backoff(Growth::Linear, 5_000, 300_000, true),
            ),
            ("fixed 30s", backoff(Growth::Fixed, 30_000, 30_000, false)),
            (
                "fixed 1m 30s  jitter",
                backoff(Growth::Fixed, 90_000, 90_000, true),
            ),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_is_accepted() {
        for (text, reason) in [
            ("", "a backoff begins with"),
            ("1s..10m", "a backoff begins with"),
            ("exponentiel 1s..10m", "did you mean `exponential`?"),
            ("exponential", "`exponential` does not say how long"),
            ("exponential jitter", "does not say how long"),
            ("exponential 1s", "`1s` does not say how long the wait may become"),
            ("linear 10m..1s", "the wait `10m` is longer than its limit `1s`"),
            ("fixed 1s..10m", "a fixed wait has no range"),
            ("fixed soon", "`soon` is not a duration"),
            ("exponential 1..10m", "`1` in `1` has no unit"),
            (
                "exponential 1s..10m sometimes",
                "`10m sometimes` is not a duration",
            ),
        ] {
            let refused = read(text).expect_err(text);
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
