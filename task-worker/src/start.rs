//! The beginning of a worker: a store that cannot be reached yet is waited for.

use std::time::{Duration, Instant};

use task_core::Result;

use crate::errand::pause_after;
use crate::shutdown::Shutdown;
use crate::status::WorkerStatus;

/// How often a worker that waits shows that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Tries until the store can be reached: a call that says
/// [`is_retryable`](task_core::Error::is_retryable) is made again, a tenth of a second later, then
/// with doubling pauses up to 5 s, for so long in all. `None` when the worker was asked to end
/// meanwhile.
///
/// For a program that opens the store itself before there is a worker. `status` shows that it
/// lives and counts the failures.
///
/// # Errors
/// The last error, when it is not retryable or the time is over.
pub async fn until_reached<T, F: Future<Output = Result<T>>>(
    patience: Duration,
    status: &WorkerStatus,
    shutdown: &Shutdown,
    mut attempt: impl FnMut() -> F,
) -> Result<Option<T>> {
    let meter = status.meter();
    let began = Instant::now();
    let mut failures = 0;
    let trying = async {
        loop {
            let error = match meter.heard(attempt().await) {
                Ok(reached) => return Ok(Some(reached)),
                Err(error) => error,
            };
            failures += 1;
            let pause = pause_after(failures);
            if !error.is_retryable() || began.elapsed().saturating_add(pause) > patience {
                return Err(error);
            }
            tracing::error!(%error, "the store cannot be reached yet, trying again in {pause:?}");
            tokio::time::sleep(pause).await;
        }
    };
    // A call may hang: that says nothing about the worker.
    let beating = async {
        let mut beats = tokio::time::interval(BEAT_EVERY);
        loop {
            beats.tick().await;
            meter.beat();
        }
    };
    tokio::select! {
        biased;
        () = shutdown.requested() => Ok(None),
        reached = trying => reached,
        () = beating => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use task_core::{Error, ErrorKind};

    use super::*;

    async fn tries_with(patience: Duration, kind: ErrorKind, failing: u32) -> (Result<Option<u32>>, u32) {
        let (status, shutdown) = (WorkerStatus::new(), Shutdown::new());
        let mut tries = 0;
        let reached = until_reached(patience, &status, &shutdown, || {
            tries += 1;
            std::future::ready(if tries <= failing {
                Err(Error::new(kind, "away"))
            } else {
                Ok(tries)
            })
        })
        .await;
        (reached, tries)
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_cannot_be_reached_is_tried_again_until_the_patience_is_over() {
        let (reached, _) = tries_with(Duration::MAX, ErrorKind::Unavailable, 50).await;
        assert_eq!(reached.expect("in the end"), Some(51));
        let (reached, tries) = tries_with(Duration::ZERO, ErrorKind::Unavailable, 1).await;
        assert_eq!((reached.is_err(), tries), (true, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_heal_is_not_tried_again() {
        let (reached, tries) = tries_with(Duration::MAX, ErrorKind::Schema, 1).await;
        assert_eq!((reached.is_err(), tries), (true, 1));
    }

    #[tokio::test]
    async fn who_is_asked_to_end_does_not_wait_and_a_call_that_hangs_is_no_hung_worker() {
        let (status, shutdown) = (WorkerStatus::new(), Shutdown::new());
        let hangs = std::future::pending::<Result<()>>;
        let waiting = until_reached(Duration::MAX, &status, &shutdown, hangs);
        let mut waiting = std::pin::pin!(waiting);
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        let before = status.snapshot().loop_age;
        while status.snapshot().loop_age >= before {
            tokio::select! {
                _ = &mut waiting => panic!("nobody asked"),
                _ = ticks.tick() => {}
            }
        }
        shutdown.stop();
        assert_eq!(waiting.await.expect("no error"), None);
    }
}
