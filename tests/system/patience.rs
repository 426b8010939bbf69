//! Waiting for what can be seen.

use std::time::{Duration, Instant};

use super::Kind;

/// Long enough for anything that happens at all on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often somebody who waits looks again.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until it sees what it looks for; fails after [`PATIENCE`] with what it saw instead.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Result<T, String>) -> impl Future<Output = T> {
    within(PATIENCE, what, look)
}

/// As [`eventually`], for what must be seen within this time.
#[track_caller]
pub fn within<T>(
    time: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        loop {
            let seen = match look().await {
                Ok(found) => return found,
                Err(seen) => seen,
            };
            assert!(
                began.elapsed() < time,
                "{caller}: waited {time:?} for {what}, but saw: {seen}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Says what came of a test, in a line that `cargo xtask ledger` makes a row of.
pub fn tell(kind: Kind, what: &str, outcome: &str) {
    println!("LEDGER\t{}\t{what}\t{outcome}", kind.name());
}

/// How much of something a test does: so much, unless this variable says otherwise.
pub fn scale(variable: &str, usual: usize) -> usize {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |given| {
        let number = given.parse();
        number.unwrap_or_else(|_| panic!("{variable} is no number: {given:?}"))
    })
}
