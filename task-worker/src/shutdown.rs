//! The end of a worker: first politely, then by force.

use std::sync::Arc;

use task_core::{Error, ErrorKind, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Claim and run.
    Running,
    /// Start nothing more, but do not end.
    Quiet,
    /// Start nothing more, and soon give back what runs.
    MakingWay,
    /// Start nothing more, let what runs come to its end.
    Stopping,
    /// Give back at once what has not ended.
    Forced,
}

/// Asks a worker to stop. Clones ask the same worker.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: Arc<watch::Sender<Phase>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// One that the program triggers itself.
    pub fn new() -> Self {
        Self {
            phase: Arc::new(watch::Sender::new(Phase::Running)),
        }
    }

    /// One that SIGINT, SIGTERM and SIGQUIT trigger: the first lets running tasks come to
    /// their end, the second gives them back at once. SIGUSR1 makes the worker quiet.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when the signals cannot be received.
    pub fn on_signals() -> Result<Self> {
        let shutdown = Self::new();
        for (kind, name) in [
            (SignalKind::interrupt(), "SIGINT"),
            (SignalKind::terminate(), "SIGTERM"),
            (SignalKind::quit(), "SIGQUIT"),
            (SignalKind::user_defined1(), "SIGUSR1"),
        ] {
            let signals = signal(kind).map_err(|error| {
                Error::new(ErrorKind::State, format!("cannot receive {name}")).because(error)
            })?;
            tokio::spawn(shutdown.clone().listen(signals, kind, name));
        }
        Ok(shutdown)
    }

    async fn listen(self, mut signals: Signal, kind: SignalKind, name: &'static str) {
        while signals.recv().await.is_some() {
            match self.phase() {
                _ if kind == SignalKind::user_defined1() => {
                    tracing::warn!("received {name}: quiet, claiming nothing more; SIGTERM ends the worker");
                    self.quiet();
                }
                Phase::Running | Phase::Quiet => {
                    tracing::warn!(
                        "received {name}: finishing what runs, claiming nothing more (again to force)"
                    );
                    self.stop();
                }
                Phase::MakingWay => {
                    tracing::warn!("received {name}: ending instead of starting again");
                    self.stop();
                }
                Phase::Stopping | Phase::Forced => {
                    tracing::warn!("received {name} again: giving back what has not ended");
                    self.force();
                }
            }
        }
    }

    /// Lets the worker claim nothing more and give back what has not started. What runs goes on
    /// for as long as it takes, the lease is renewed, and the worker lives until it is asked to
    /// stop. There is no way back.
    pub fn quiet(&self) {
        self.at_least(Phase::Quiet);
    }

    /// Returns when the worker was asked to end: to stop, to make way, or by force.
    pub async fn requested(&self) {
        // The sender is part of `self`, so it cannot go away.
        let _ = self.watch().wait_for(|phase| *phase >= Phase::MakingWay).await;
    }

    /// Lets running tasks come to their end, within the worker's `stop_timeout`.
    pub fn stop(&self) {
        self.at_least(Phase::Stopping);
    }

    /// Makes way for a new version of the program: running tasks are asked to end through their
    /// context, and those that did not come to an end of their own within two seconds are given
    /// back as if they had not been started. A task that must not run twice (`max_lost = 0`)
    /// is not asked to end; it has as long as when the worker stops.
    pub fn make_way(&self) {
        self.at_least(Phase::MakingWay);
    }

    /// Whether it makes way and was not asked to stop since: the program may start again.
    pub fn is_making_way(&self) -> bool {
        self.phase() == Phase::MakingWay
    }

    /// Gives back at once what has not ended.
    pub fn force(&self) {
        self.at_least(Phase::Forced);
    }

    /// Whether the end was forced.
    pub fn is_forced(&self) -> bool {
        self.phase() == Phase::Forced
    }

    fn at_least(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = *now < phase;
            *now = (*now).max(phase);
            later
        });
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_only_comes_nearer() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.phase(), Phase::Running);
        shutdown.force();
        shutdown.stop();
        assert!(shutdown.is_forced());
    }

    /// Polls once.
    fn poll_once(future: &mut std::pin::Pin<Box<impl Future<Output = ()>>>) -> std::task::Poll<()> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.as_mut().poll(&mut context)
    }

    #[tokio::test]
    async fn who_is_quiet_was_not_asked_to_end() {
        let shutdown = Shutdown::new();
        shutdown.quiet();
        assert_eq!(shutdown.phase(), Phase::Quiet);
        let mut requested = Box::pin(shutdown.requested());
        assert!(poll_once(&mut requested).is_pending());
        shutdown.stop();
        requested.await;
        shutdown.quiet();
        assert_eq!(shutdown.phase(), Phase::Stopping);
    }

    #[test]
    fn whoever_makes_way_can_still_be_stopped_and_then_does_not_start_again() {
        let shutdown = Shutdown::new();
        shutdown.make_way();
        assert!(shutdown.is_making_way());
        shutdown.stop();
        shutdown.make_way();
        assert!(!shutdown.is_making_way() && !shutdown.is_forced());
    }
}
