//! How a running attempt learns that it should end, and why.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why an attempt should end before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody asked for the task to end.
    Requested,
    /// Its time limit has passed.
    TimedOut,
    /// Its worker lost the lease: the task belongs to another worker, and nothing this attempt
    /// returns is written.
    LeaseLost,
    /// The worker stops. The task will run again.
    WorkerStopping,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Requested => "somebody asked for it",
            Self::TimedOut => "its time limit has passed",
            Self::LeaseLost => "its worker lost the lease",
            Self::WorkerStopping => "the worker stops",
        })
    }
}

/// Tells one attempt to end. Clones tell the same attempt; the first reason stays.
#[derive(Clone, Default)]
pub struct CancelToken {
    token: CancellationToken,
    reason: Arc<OnceLock<CancelReason>>,
}

impl CancelToken {
    /// For a new attempt.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the attempt to end. Saying it again changes nothing.
    pub fn cancel(&self, reason: CancelReason) {
        // The reason first: whoever wakes finds it.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Whether the attempt was told to end.
    pub fn is_canceled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Ends when the attempt is told to end.
    pub async fn canceled(&self) {
        self.token.cancelled().await;
    }

    /// Why it was told to end; `None` while it was not.
    pub fn reason(&self) -> Option<CancelReason> {
        self.reason.get().copied()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken").field(&self.reason()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays_and_everybody_hears_it() {
        let token = CancelToken::new();
        assert_eq!((token.is_canceled(), token.reason()), (false, None));
        let heard = tokio::spawn({
            let token = token.clone();
            async move {
                token.canceled().await;
                token.reason()
            }
        });
        token.cancel(CancelReason::TimedOut);
        token.cancel(CancelReason::Requested);
        assert_eq!(heard.await.expect("no panic"), Some(CancelReason::TimedOut));
        assert!(token.is_canceled());
    }
}
