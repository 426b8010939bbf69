//! The store's time, between the moments at which the store says it.

use std::time::Instant;

use task_core::Timestamp;
use tokio::sync::watch;

/// What the store said last, and when it was heard. It goes on by the clock that never jumps.
#[derive(Debug)]
pub(crate) struct StoreTime(watch::Sender<Option<(Timestamp, Instant)>>);

impl StoreTime {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// The store has just said that this is the time. It was a little earlier than it was heard, so
    /// the time told here is never ahead of the store's.
    pub(crate) fn heard(&self, now: Timestamp) {
        self.0.send_replace(Some((now, Instant::now())));
    }

    /// The time; waits for the store to say it for the first time.
    pub(crate) async fn now(&self) -> Timestamp {
        let mut heard = self.0.subscribe();
        let Ok(heard) = heard.wait_for(Option::is_some).await.map(|heard| *heard) else {
            return Timestamp::MIN;
        };
        let (said, at) = heard.unwrap_or((Timestamp::MIN, Instant::now()));
        said.checked_add(at.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// Who waits for the store to say it again.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<(Timestamp, Instant)>> {
        self.0.subscribe()
    }
}
