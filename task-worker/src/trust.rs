//! What a worker knows of its own lease while the store does not answer.

use std::pin::pin;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::heartbeat::Pulse;

/// Until when nobody else can have the worker's tasks, by this machine's clock.
pub(crate) struct Trust {
    until: Instant,
    is_doubtful: bool,
    pulses: mpsc::Sender<Pulse>,
}

impl Trust {
    /// A lease that runs until then.
    pub(crate) fn new(until: Instant, pulses: mpsc::Sender<Pulse>) -> Self {
        Self {
            until,
            is_doubtful: false,
            pulses,
        }
    }

    /// Waits for the store's answer, however long it takes; says so when the lease runs out meanwhile.
    pub(crate) async fn wait_for<T>(&mut self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        if !self.is_doubtful {
            if let Ok(answer) = tokio::time::timeout_at(self.until.into(), &mut answer).await {
                return answer;
            }
            self.is_doubtful = true;
            tracing::warn!(
                "the store has not answered for the length of the lease: nothing more is started until it does"
            );
            // Nobody listens any more when the worker ends.
            let _ = self.pulses.send(Pulse::Doubtful).await;
        }
        answer.await
    }

    /// The lease was renewed and runs until then at least.
    pub(crate) async fn renewed(&mut self, until: Instant) {
        self.until = until;
        if std::mem::take(&mut self.is_doubtful) {
            tracing::info!("the store answers again, and the lease was not lost");
            let _ = self.pulses.send(Pulse::Sure).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_doubtful_from_its_end_until_it_is_renewed() {
        const LEASE: Duration = Duration::from_secs(30);
        let now = || tokio::time::Instant::now().into_std();
        let (sender, mut pulses) = mpsc::channel(4);
        let mut trust = Trust::new(now() + LEASE, sender);
        trust.wait_for(tokio::time::sleep(LEASE / 2)).await;
        assert!(pulses.try_recv().is_err(), "it still runs");
        trust.wait_for(tokio::time::sleep(LEASE)).await;
        assert_eq!(pulses.try_recv(), Ok(Pulse::Doubtful));
        trust.wait_for(tokio::time::sleep(LEASE)).await;
        assert!(pulses.try_recv().is_err(), "it said so");
        trust.renewed(now() + LEASE).await;
        assert_eq!(pulses.try_recv(), Ok(Pulse::Sure));
        trust.renewed(now() + LEASE).await;
        assert!(pulses.try_recv().is_err(), "there was no doubt");
    }
}
