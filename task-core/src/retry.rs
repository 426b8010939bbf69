//! Whether and when a task runs again: pure functions of what is stored with it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is stored with a task about running it again, and for how long one run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryPolicy {
    /// How many attempts may fail by the task's own fault before it is `FAILED`. Default 1, as in Django.
    #[serde(skip_serializing_if = "is_default_attempts")]
    pub max_attempts: u32,
    /// How many workers may be lost under the task before it is `FAILED`. Default 3;
    /// 0 makes the task at-most-once.
    #[serde(skip_serializing_if = "is_default_lost")]
    pub max_lost: u32,
    /// How long one attempt may run, in milliseconds. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long to wait between attempts.
    #[serde(skip_serializing_if = "Backoff::is_default")]
    pub backoff: Backoff,
}

fn is_default_attempts(attempts: &u32) -> bool {
    *attempts == RetryPolicy::DEFAULT.max_attempts
}

fn is_default_lost(lost: &u32) -> bool {
    *lost == RetryPolicy::DEFAULT.max_lost
}

/// How long to wait between attempts: `exponential 1s..10m jitter` by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The wait after the first failure, in milliseconds.
    pub first_ms: u64,
    /// The longest wait, in milliseconds.
    pub limit_ms: u64,
    /// How the wait grows from failure to failure.
    #[serde(default, skip_serializing_if = "Growth::is_exponential")]
    pub growth: Growth,
    /// Whether each wait is shortened by up to a quarter at random, so that tasks which failed
    /// together do not return together.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub jitter: bool,
}

/// How a wait grows from failure to failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// Not at all.
    Fixed,
    /// By the first wait each time: once, twice, three times.
    Linear,
    /// Doubling: once, twice, four times.
    #[default]
    Exponential,
}

impl Growth {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_exponential(&self) -> bool {
        *self == Self::Exponential
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(jitter: &bool) -> bool {
    *jitter
}

impl Backoff {
    /// One second, doubling up to ten minutes, with jitter.
    pub const DEFAULT: Self = Self {
        first_ms: 1_000,
        limit_ms: 600_000,
        growth: Growth::Exponential,
        jitter: true,
    };

    /// Waits `first`, then twice that, four times that, up to `limit`.
    pub const fn exponential(first: Duration, limit: Duration) -> Self {
        Self::new(Growth::Exponential, first, limit)
    }

    /// Waits `first`, then twice that, three times that, up to `limit`.
    pub const fn linear(first: Duration, limit: Duration) -> Self {
        Self::new(Growth::Linear, first, limit)
    }

    /// Waits as long each time.
    pub const fn fixed(wait: Duration) -> Self {
        Self::new(Growth::Fixed, wait, wait)
    }

    /// The same, each wait shortened by up to a quarter at random.
    #[must_use]
    pub const fn jitter(mut self) -> Self {
        self.jitter = true;
        self
    }

    const fn new(growth: Growth, first: Duration, limit: Duration) -> Self {
        Self {
            first_ms: milliseconds(first),
            limit_ms: milliseconds(limit),
            growth,
            jitter: false,
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::DEFAULT
    }

    /// The wait after this many failures (from 1), with the jitter this seed gives.
    pub fn delay(&self, failures: u32, seed: u64) -> Duration {
        let before = failures.saturating_sub(1);
        let factor = match self.growth {
            Growth::Fixed => 1,
            Growth::Linear => 1 + u64::from(before),
            Growth::Exponential => 1_u64.checked_shl(before).unwrap_or(u64::MAX),
        };
        let whole = self.first_ms.saturating_mul(factor).min(self.limit_ms);
        if !self.jitter {
            return Duration::from_millis(whole);
        }
        // The top sixteen bits of a mixed seed choose how much of the last quarter to wait.
        let part = mix(seed ^ u64::from(failures)) >> 48;
        let quarter = u128::from(whole / 4);
        let jitter = u64::try_from(quarter * u128::from(part) / 0xffff).unwrap_or(0);
        Duration::from_millis(whole - jitter)
    }
}

/// As many as fit; times longer than a store can keep are cut when they are stored.
pub(crate) const fn milliseconds(duration: Duration) -> u64 {
    let whole = duration.as_millis();
    if whole > u64::MAX as u128 {
        u64::MAX
    } else {
        whole as u64
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Backoff {
    /// As `#[task(backoff = "..")]` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, limit) = (
            Duration::from_millis(self.first_ms),
            Duration::from_millis(self.limit_ms),
        );
        match self.growth {
            Growth::Fixed => write!(f, "fixed {first:?}")?,
            Growth::Linear => write!(f, "linear {first:?}..{limit:?}")?,
            Growth::Exponential => write!(f, "exponential {first:?}..{limit:?}")?,
        }
        f.write_str(if self.jitter { " jitter" } else { "" })
    }
}

/// Spreads a seed over all bits (the finaliser of SplitMix64).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl RetryPolicy {
    /// One attempt, three lost workers, no time limit.
    pub const DEFAULT: Self = Self {
        max_attempts: 1,
        max_lost: 3,
        timeout_ms: None,
        backoff: Backoff::DEFAULT,
    };

    /// Whether everything is as it is by default, so that nothing need be stored.
    pub fn is_default(&self) -> bool {
        *self == Self::DEFAULT
    }

    /// The time limit of one attempt.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// Whether the task must never be started a second time.
    pub fn is_at_most_once(&self) -> bool {
        self.max_lost == 0
    }

    /// After an attempt failed by the task's own fault: when to run it again, or
    /// `None` when that was its last.
    ///
    /// `attempt` counts from 1; `last_attempt` is the attempt whose failure is final
    /// (`max_attempts`, moved on by attempts that were not the task's fault).
    pub fn after_failure(&self, attempt: u32, last_attempt: u32, seed: u64) -> Option<Duration> {
        if attempt >= last_attempt {
            return None;
        }
        let left = last_attempt - attempt;
        let failures = self.max_attempts.saturating_sub(left).max(1);
        Some(self.backoff.delay(failures, seed))
    }

    /// After this many workers were lost under the task: whether it runs again.
    pub fn runs_after_loss(&self, lost: u32) -> bool {
        lost <= self.max_lost && self.max_lost > 0
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_limit_and_keeps_three_quarters() {
        let backoff = Backoff::DEFAULT;
        for (failures, whole_ms) in [
            (1, 1_000),
            (2, 2_000),
            (3, 4_000),
            (10, 512_000),
            (11, 600_000),
            (99, 600_000),
        ] {
            for seed in [0, 1, 7, u64::MAX] {
                let delay = u64::try_from(backoff.delay(failures, seed).as_millis()).expect("small");
                assert!(
                    delay <= whole_ms && delay >= whole_ms - whole_ms / 4,
                    "{failures}: {delay}"
                );
            }
        }
    }

    #[test]
    fn every_wait_is_as_long_as_it_is_said_to_be() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        for (backoff, waits) in [
            (Backoff::fixed(second), [1, 1, 1, 1, 1]),
            (Backoff::linear(second, minute), [1, 2, 3, 60, 60]),
            (Backoff::exponential(second, minute), [1, 2, 4, 60, 60]),
        ] {
            for (failures, seconds) in [1, 2, 3, 70, u32::MAX].into_iter().zip(waits) {
                for seed in [0, 9, u64::MAX] {
                    assert_eq!(
                        backoff.delay(failures, seed),
                        seconds * second,
                        "{backoff} {failures}"
                    );
                    let jittered = backoff.jitter().delay(failures, seed);
                    assert!(jittered <= seconds * second && jittered >= seconds * second * 3 / 4);
                }
            }
        }
    }

    #[test]
    fn what_was_stored_before_growth_could_be_chosen_is_read() {
        let read: Backoff = serde_json::from_str(r#"{"first_ms":5,"limit_ms":70}"#).expect("its old text");
        let limits = (Duration::from_millis(5), Duration::from_millis(70));
        assert_eq!(read, Backoff::exponential(limits.0, limits.1).jitter());
        for backoff in [
            read,
            Backoff::linear(limits.0, limits.1),
            Backoff::fixed(limits.0).jitter(),
        ] {
            let text = serde_json::to_string(&backoff).expect("plain");
            assert_eq!(
                serde_json::from_str::<Backoff>(&text).expect("its own text"),
                backoff
            );
        }
    }

    #[test]
    fn different_tasks_wait_differently() {
        let delays: std::collections::BTreeSet<_> =
            (0..100).map(|seed| Backoff::DEFAULT.delay(5, seed)).collect();
        assert!(delays.len() > 90);
    }

    #[test]
    fn the_last_attempt_is_final() {
        let policy = RetryPolicy {
            max_attempts: 3,
            ..RetryPolicy::DEFAULT
        };
        assert!(policy.after_failure(1, 3, 0).is_some());
        assert!(policy.after_failure(2, 3, 0).is_some());
        assert_eq!(policy.after_failure(3, 3, 0), None);
        assert_eq!(RetryPolicy::DEFAULT.after_failure(1, 1, 0), None);
    }

    #[test]
    fn a_lost_worker_moves_the_last_attempt_but_not_the_wait() {
        let policy = RetryPolicy {
            max_attempts: 3,
            ..RetryPolicy::DEFAULT
        };
        // Attempt 1 was lost, so attempt 2 is the task's first own failure.
        assert_eq!(policy.after_failure(2, 4, 9), Some(policy.backoff.delay(1, 9)));
    }

    #[test]
    fn three_lost_workers_are_forgiven_and_none_for_at_most_once() {
        assert!(RetryPolicy::DEFAULT.runs_after_loss(3));
        assert!(!RetryPolicy::DEFAULT.runs_after_loss(4));
        let once = RetryPolicy {
            max_lost: 0,
            ..RetryPolicy::DEFAULT
        };
        assert!(!once.runs_after_loss(1) && once.is_at_most_once());
    }

    #[test]
    fn the_default_is_stored_as_nothing() {
        assert_eq!(serde_json::to_string(&RetryPolicy::DEFAULT).expect("plain"), "{}");
        assert_eq!(
            serde_json::from_str::<RetryPolicy>("{}").expect("plain"),
            RetryPolicy::DEFAULT
        );
    }
}
