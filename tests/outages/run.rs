//! Tasks that come and go at a steady rate while something happens to their store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use conformance::executions::{now, slow_record};
use task_core::{Backends, TaskId, enqueue_many_on};
use tokio::task::JoinHandle;

use crate::system::{Home, PATIENCE, Place, Process, Signal, eventually};

/// How many enqueue at the same time, how much in one call, and with which pause: 2,000 tasks a second.
const CALLERS: usize = 4;
const IN_ONE_CALL: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Over how long a rate is measured.
const WINDOW: Duration = Duration::from_millis(500);

/// For how long everything goes well before something happens.
const BEFORE: Duration = Duration::from_secs(2);

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a time")
}

/// Producers and two workers at work.
pub struct Run {
    pub place: Place,
    pub workers: Vec<Process>,
    is_over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Vec<TaskId>>>,
    /// When it began to go well.
    steady_since: u64,
}

impl Run {
    /// Begins one, and returns when it has gone well for a while.
    pub async fn begin(home: Home) -> Self {
        let place = Place::with(home).await;
        let workers: Vec<Process> = ["one", "other"]
            .map(|name| place.worker(name, &["--lease", "3s"]))
            .into();
        place.workers_join(workers.len()).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let callers = (0..CALLERS).map(|_| tokio::spawn(enqueue(place.backends().clone(), is_over.clone())));
        let mut run = Self {
            callers: callers.collect(),
            place,
            workers,
            is_over,
            steady_since: 0,
        };
        run.place.ledger().reaches(1000).await;
        run.steady_since = now();
        // The rate is what happens in a time: this is no wait for an event.
        tokio::time::sleep(BEFORE).await;
        run
    }

    /// Executions in a second, in this time.
    fn rate(&self, from: u64, to: u64) -> f64 {
        let lines = self.place.ledger().lines();
        let count = lines.iter().filter(|line| (from..to).contains(&line.at)).count();
        count as f64 * 1e6 / (to - from) as f64
    }

    /// The rate before anything happened.
    pub fn rate_before(&self) -> f64 {
        self.rate(self.steady_since, self.steady_since + microseconds(BEFORE))
    }

    /// The rate since then, compared with the one before anything happened.
    pub fn share_since(&self, from: u64) -> f64 {
        self.rate(from, now()) / self.rate_before()
    }

    /// Returns when nine tenths of the rate are there again, with the time that it took since then.
    pub async fn recovers(&self, since: u64) -> Duration {
        let usual = self.rate_before();
        let window = microseconds(WINDOW);
        eventually("the full rate", async || {
            let now = now();
            let began = now.saturating_sub(window).max(since);
            if now < since + window {
                return Err("it has just come back".to_owned());
            }
            match self.rate(began, now) {
                rate if rate >= 0.9 * usual => Ok(Duration::from_micros(began - since)),
                rate => Err(format!("{rate:.0}/s instead of {usual:.0}/s")),
            }
        })
        .await
    }

    /// Ends it: everything accepted has ended, nothing ran more often than it may, and the workers,
    /// which nobody killed, are there.
    pub async fn ends_exact(mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let mut accepted = Vec::new();
        for caller in self.callers {
            accepted.extend(caller.await.expect("no panic"));
        }
        self.place.all_end().await;
        let ended = self.place.ended().await;
        for id in &accepted {
            assert!(
                ended.contains_key(&id.to_string()),
                "{id} was accepted and is not there"
            );
        }
        let ledger = self.place.ledger().read();
        print!(
            "{} accepted, {} stored, {}",
            accepted.len(),
            ended.len(),
            ledger.summary(&[])
        );
        self.place
            .assert_exact(&self.workers.iter().collect::<Vec<_>>())
            .await;
        self.place.assert_clean().await;
        for worker in &mut self.workers {
            assert!(worker.is_alive(), "{} ended", worker.name());
            worker.send(Signal::TERM);
            assert_eq!(worker.exits_within(PATIENCE).await, 0);
        }
    }
}

/// Enqueues until it is over. What a store that is away refuses may be stored or not.
async fn enqueue(backends: Backends, is_over: Arc<AtomicBool>) -> Vec<TaskId> {
    let mut accepted = Vec::new();
    let mut pace = tokio::time::interval(PAUSE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !is_over.load(Ordering::SeqCst) {
        pace.tick().await;
        let calls = (0..IN_ONE_CALL)
            .map(|number| slow_record::new(number, 1))
            .collect();
        match enqueue_many_on(calls, &backends).await {
            Ok(results) => accepted.extend(results.iter().map(|result| result.id())),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    accepted
}
