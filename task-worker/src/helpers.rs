//! What goes on beside the fetcher: the executors, the heartbeat, the scheduler, the pruner.

use std::sync::Arc;
use std::time::Duration;

use task_core::{BackendAlias, WorkerKey};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::executor::Executor;
use crate::heartbeat::{Pulse, beat};
use crate::meter::Meter;
use crate::pruner::prune;
use crate::scheduler::Scheduler;
use crate::store_time::StoreTime;
use crate::worker::WorkerOptions;

/// How many pulses may wait for the fetcher.
const PULSES: usize = 16;

/// The tasks of the runtime that serve one fetcher. They end with it.
pub(crate) struct Helpers {
    pulses: mpsc::Receiver<Pulse>,
    heartbeat: AbortHandle,
    pruner: Option<AbortHandle>,
    scheduler: Option<AbortHandle>,
    time: Arc<StoreTime>,
    executors: Vec<AbortHandle>,
}

impl Helpers {
    /// Starts them all.
    pub(crate) fn start(
        alias: &Arc<BackendAlias>,
        key: WorkerKey,
        options: &WorkerOptions,
        executor: &Executor,
        meter: &Arc<Meter>,
    ) -> Self {
        let (pulse_sender, pulses) = mpsc::channel(PULSES);
        let time = Arc::new(StoreTime::new());
        let heartbeat = beat(
            alias.clone(),
            key,
            options.lease,
            meter.clone(),
            time.clone(),
            pulse_sender,
        );
        let executors =
            (0..options.concurrency).map(|slot| tokio::spawn(executor.clone().run(slot)).abort_handle());
        let pruner = options.keep.map(|keep| tokio::spawn(prune(alias.clone(), keep)));
        let scheduler = Scheduler::new(alias, &executor.registry, options, &time);
        let scheduler = scheduler.map(|scheduler| tokio::spawn(scheduler.run()).abort_handle());
        Self {
            pulses,
            scheduler,
            time,
            heartbeat: tokio::spawn(heartbeat).abort_handle(),
            pruner: pruner.map(|pruner| pruner.abort_handle()),
            executors: executors.collect(),
        }
    }

    /// Lets the heart beat for another lease.
    pub(crate) fn beat_for(
        &mut self,
        alias: &Arc<BackendAlias>,
        key: WorkerKey,
        lease: Duration,
        meter: &Arc<Meter>,
    ) {
        self.heartbeat.abort();
        // A channel of its own: what the heartbeat of the lost lease still had to say is
        // about that one.
        let (sender, pulses) = mpsc::channel(PULSES);
        self.pulses = pulses;
        let heartbeat = beat(
            alias.clone(),
            key,
            lease,
            meter.clone(),
            self.time.clone(),
            sender,
        );
        self.heartbeat = tokio::spawn(heartbeat).abort_handle();
    }

    /// Waits for what the heartbeat has to say.
    pub(crate) async fn pulse(&mut self) -> Option<Pulse> {
        self.pulses.recv().await
    }

    /// Drops what runs, where it can be dropped.
    pub(crate) fn end_executors(&self) {
        self.executors.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.heartbeat.abort();
        self.scheduler.iter().for_each(AbortHandle::abort);
        self.pruner.iter().for_each(AbortHandle::abort);
        self.end_executors();
    }
}
