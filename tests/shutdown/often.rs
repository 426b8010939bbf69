//! Signals at moments nobody chose.

use std::time::{Duration, Instant};

use conformance::executions::slow_record;
use task_core::TaskStatus;

use crate::system::{Kind, PATIENCE, Place, Random, Signal, on_every_store, scale, tell};

/// No task runs that long, so no polite end takes longer.
const DEADLINE: Duration = Duration::from_secs(10);

async fn sigterms_at_random_moments_lose_nothing_and_repeat_nothing(kind: Kind) {
    // More than a worker can do in the time that it takes to notice so many executions.
    const EACH_TIME: u32 = 1_000;
    let terms = scale("LEDGER_SIGTERMS", 20);
    let mut random = Random::new();
    let place = Place::on(kind).await;
    let mut slowest = Duration::ZERO;
    let mut enqueued = 0;
    for term in 0..terms {
        let calls = (0..EACH_TIME).map(|number| slow_record::new(number, u64::from(number % 10)));
        enqueued += place.enqueue(calls).await.len();
        let mut worker = place.worker(&format!("worker-{term}"), &["--lease", "10m"]);
        place
            .ledger()
            .reaches_by(worker.pid(), random.among(1..EACH_TIME as usize / 2))
            .await;
        worker.send(Signal::TERM);
        let began = Instant::now();
        assert_eq!(worker.exits_within(DEADLINE).await, 0);
        slowest = slowest.max(began.elapsed());
        // Nothing waits for a rescuer: what was not run is there for the next one.
        assert_eq!(place.count(TaskStatus::Running).await, 0, "after {term}");
    }
    let mut last = place.worker("last", &["--batch"]);
    assert_eq!(last.exits_within(PATIENCE).await, 0);
    let ledger = place.ledger().read();
    print!("{}", ledger.summary(&[]));
    let outcome =
        format!("{enqueued} tasks, none left running, none run twice; the slowest end took {slowest:.2?}");
    tell(kind, &format!("{terms} SIGTERMs"), &outcome);
    assert_eq!((ledger.tasks(), ledger.most()), (enqueued, 1));
    let ended = place.ended().await;
    assert!(
        ended.values().all(|ended| ended.attempts == 1),
        "no attempt was lost"
    );
    place.assert_exact(&[]).await;
    place.assert_clean().await;
}

async fn a_signal_right_after_the_start_is_heard(kind: Kind) {
    let place = Place::on(kind).await;
    let ids = place.enqueue_records(2_000).await;
    for start in 0..10 {
        let mut worker = place.worker(&format!("worker-{start}"), &["--lease", "10m"]);
        worker.says("worker starts").await;
        worker.send(Signal::TERM);
        assert_eq!(worker.exits_within(DEADLINE).await, 0);
    }
    let mut last = place.worker("last", &["--batch"]);
    assert_eq!(last.exits_within(PATIENCE).await, 0);
    assert_eq!(place.ledger().read().tasks(), ids.len());
    place.assert_exact(&[]).await;
    place.assert_clean().await;
}

on_every_store! {
    a_signal_right_after_the_start_is_heard,
    sigterms_at_random_moments_lose_nothing_and_repeat_nothing,
}
