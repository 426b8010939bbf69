//! Whether and when a task runs again: pure functions of what is stored with it.

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

/// Exponential waiting between attempts: `first`, twice that, four times, up to
/// `limit`, each shortened by up to a quarter at random so that tasks which failed
/// together do not return together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The wait after the first failure, in milliseconds.
    pub first_ms: u64,
    /// The longest wait, in milliseconds.
    pub limit_ms: u64,
}

impl Backoff {
    /// One second, doubling up to ten minutes.
    pub const DEFAULT: Self = Self {
        first_ms: 1_000,
        limit_ms: 600_000,
    };

    fn is_default(&self) -> bool {
        *self == Self::DEFAULT
    }

    /// The wait after this many failures (from 1), with the jitter this seed gives.
    pub fn delay(&self, failures: u32, seed: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(40);
        let whole = self.first_ms.saturating_mul(1 << doublings).min(self.limit_ms);
        // The top sixteen bits of a mixed seed choose how much of the last quarter to wait.
        let part = mix(seed ^ u64::from(failures)) >> 48;
        let quarter = u128::from(whole / 4);
        let jitter = u64::try_from(quarter * u128::from(part) / 0xffff).unwrap_or(0);
        Duration::from_millis(whole - jitter)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
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
