//! Whatever happens in whatever order: a random play, the same every time, with an eye on
//! what must never be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use task_core::{
    CancelRequest, Claimed, ErrorKind, Filter, Finish, NewTask, RetryPolicy, RunAfter, TaskId, TaskRecord,
    TaskStatus,
};

use super::prune::older_than;
use crate::Store;
use crate::played_worker::{PlayedWorker, failed, failed_for_now, interrupted, obeyed, succeeded, unstarted};
use crate::scene::{new_task, stopped};

/// Whatever people, workers and their deaths do to a store in whatever order: every task is in
/// one place, changes only as the table of states allows, keeps its history, and ends.
pub async fn every_task_stays_in_one_place_and_ends(store: Store) {
    for seed in 1..=6 {
        let mut play = Play::new(&store, seed);
        for step in 0..150 {
            let what = play.step().await;
            play.look(&format!("seed {seed}, step {step}: {what}")).await;
        }
        play.end().await;
    }
}

/// A worker of the play with what it holds.
struct Actor {
    worker: PlayedWorker,
    holds: Vec<Claimed>,
}

struct Play<'s> {
    store: &'s Store,
    seed: u32,
    state: u32,
    born: u32,
    living: Vec<Actor>,
    /// What workers hold that fell silent: they may still speak.
    dead: Vec<Actor>,
    /// Every task as it was at the last look.
    seen: BTreeMap<TaskId, TaskRecord>,
}

impl<'s> Play<'s> {
    fn new(store: &'s Store, seed: u32) -> Self {
        Self {
            store,
            seed,
            state: seed.wrapping_mul(0x9e37_79b9) | 1,
            born: 0,
            living: Vec::new(),
            dead: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    /// A number below this one.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        self.state as usize % bound
    }

    fn seconds(&mut self, bound: usize) -> Duration {
        Duration::from_secs(self.below(bound) as u64)
    }

    /// Does one thing, and says what.
    async fn step(&mut self) -> &'static str {
        match self.below(20) {
            0..=3 => self.enqueue().await,
            4..=6 => self.claim().await,
            7..=9 => self.finish().await,
            10 => self.give_back().await,
            11 | 12 => self.cancel().await,
            13 => self.retry().await,
            14 | 15 => self.let_time_pass().await,
            16 => self.rescue().await,
            17 => self.prune().await,
            18 => self.lose_a_worker().await,
            _ => self.hear_the_dead().await,
        }
    }

    async fn enqueue(&mut self) -> &'static str {
        let mut tasks = Vec::new();
        for _ in 0..=self.below(3) {
            let due = self.seconds(20);
            tasks.push(NewTask {
                queue: ["a", "b"][self.below(2)].into(),
                priority: [-1, 0, 0, 5][self.below(4)],
                run_after: (self.below(3) == 0).then_some(RunAfter::In(due)),
                policy: RetryPolicy {
                    max_attempts: [1, 2, 4][self.below(3)],
                    max_lost: [0, 1, 3][self.below(3)],
                    ..RetryPolicy::DEFAULT
                },
                ..new_task()
            });
        }
        self.store.enqueue_all(tasks).await;
        "enqueue"
    }

    async fn claim(&mut self) -> &'static str {
        if self.living.len() < 3 {
            self.born += 1;
            let name = format!("w-{}-{}", self.seed, self.born);
            let worker = self.store.worker(&name).await;
            self.living.push(Actor {
                worker,
                holds: Vec::new(),
            });
        }
        let (who, limit) = (self.below(self.living.len()), 1 + self.below(4));
        let starting = self.below(limit + 1);
        let actor = &mut self.living[who];
        let claimed = actor.worker.claim_starting(limit, starting).await;
        actor.holds.extend(claimed);
        "claim"
    }

    /// Somebody living, and some of what it holds.
    fn take_from_somebody(&mut self) -> Option<(usize, Claimed)> {
        let busy: Vec<usize> = (0..self.living.len())
            .filter(|who| !self.living[*who].holds.is_empty())
            .collect();
        let who = *busy.get(self.below(busy.len().max(1)))?;
        let which = self.below(self.living[who].holds.len());
        Some((who, self.living[who].holds.swap_remove(which)))
    }

    fn some_end(&mut self, claimed: Claimed) -> Finish {
        let delay = self.seconds(20);
        match self.below(8) {
            0..=2 => succeeded(claimed, "\"done\""),
            3 => obeyed(claimed),
            4..=6 if claimed.record.attempts + 1 < claimed.last_attempt => {
                failed_for_now(claimed, "not yet", delay)
            }
            _ => failed(claimed, "for good"),
        }
    }

    async fn finish(&mut self) -> &'static str {
        if let Some((who, claimed)) = self.take_from_somebody() {
            let end = self.some_end(claimed);
            self.living[who].worker.finish(vec![end]).await;
        }
        "finish"
    }

    async fn give_back(&mut self) -> &'static str {
        if let Some((who, claimed)) = self.take_from_somebody() {
            let back = match self.below(2) {
                0 => unstarted(claimed),
                _ => interrupted(claimed, stopped()),
            };
            self.living[who].worker.give_back(vec![back]).await;
        }
        "give back"
    }

    fn some_task(&mut self) -> Option<TaskId> {
        let which = self.below(self.seen.len().max(1));
        self.seen.keys().nth(which).copied()
    }

    async fn cancel(&mut self) -> &'static str {
        if let Some(id) = self.some_task() {
            self.store
                .backend()
                .cancel(id, &CancelRequest::default())
                .await
                .expect("it is there");
        }
        "cancel"
    }

    async fn retry(&mut self) -> &'static str {
        if let Some(id) = self.some_task()
            && let Err(error) = self.store.admin().retry(id).await
        {
            assert_eq!(error.kind(), ErrorKind::State);
        }
        "retry"
    }

    async fn let_time_pass(&mut self) -> &'static str {
        let time = self.seconds(15);
        self.store.advance(time).await;
        for actor in &self.living {
            let canceled = actor.worker.asked_to_stop().await;
            for id in canceled {
                let status = self.seen.get(&id).map(|record| record.status);
                assert_eq!(
                    status,
                    Some(TaskStatus::Running),
                    "asked to stop what does not run"
                );
            }
        }
        "let time pass"
    }

    async fn rescue(&mut self) -> &'static str {
        let limit = 1 + self.below(5);
        self.store
            .queue()
            .rescue(limit)
            .await
            .expect("rescuing always works");
        "rescue"
    }

    async fn prune(&mut self) -> &'static str {
        let age = self.seconds(40);
        let pruned = self.store.prune(&older_than(age)).await;
        let before = self.seen.len();
        let mut there = BTreeMap::new();
        for (id, record) in std::mem::take(&mut self.seen) {
            if self.store.has(id).await {
                there.insert(id, record);
            } else {
                assert!(record.status.is_finished(), "pruned although it had not ended");
            }
        }
        self.seen = there;
        assert_eq!(before - self.seen.len(), usize::try_from(pruned).expect("few"));
        "prune"
    }

    /// Somebody falls silent, or leaves without giving anything back.
    async fn lose_a_worker(&mut self) -> &'static str {
        if self.living.is_empty() {
            return "nobody to lose";
        }
        let who = self.below(self.living.len());
        let actor = self.living.swap_remove(who);
        if self.below(3) == 0 {
            actor.worker.leave().await;
        }
        self.dead.push(actor);
        "lose a worker"
    }

    /// Somebody speaks who fell silent: either it is in time and counts, or it is refused.
    async fn hear_the_dead(&mut self) -> &'static str {
        let Some(mut actor) = self.dead.pop() else {
            return "nobody is dead";
        };
        if let Some(claimed) = actor.holds.pop() {
            let id = claimed.record.id;
            let before = self.store.backend().find(id).await.expect("can look");
            let end = self.some_end(claimed);
            let refused = actor.worker.tell(vec![end]).await;
            let after = self.store.backend().find(id).await.expect("can look");
            if refused == [id] {
                assert_eq!(before, after, "refused, and written all the same");
            } else {
                assert_eq!(before.expect("held by nobody else").status, TaskStatus::Running);
            }
            self.dead.push(actor);
        }
        "hear the dead"
    }

    /// Looks at every task and compares it with the last look.
    async fn look(&mut self, when: &str) {
        let listed = self.store.list_all(&Filter::default(), 1_000).await;
        let there: BTreeSet<TaskId> = listed.iter().map(|record| record.id).collect();
        assert!(
            self.seen.keys().all(|id| there.contains(id)),
            "a task is gone, {when}"
        );
        let mut counts: BTreeMap<(String, &str), u64> = BTreeMap::new();
        for record in &listed {
            check(record, self.seen.get(&record.id), when);
            let place = (record.queue.to_string(), record.status.as_str());
            *counts.entry(place).or_default() += 1;
        }
        let counted = self.store.admin().counts().await.expect("can count");
        let counted: BTreeMap<_, _> = counted
            .into_iter()
            .map(|count| ((count.queue, count.status.as_str()), count.tasks))
            .collect();
        assert_eq!(counted, counts, "{when}");
        self.seen = listed.into_iter().map(|record| (record.id, record)).collect();
    }

    /// Everybody is lost, and one worker does what is left: then everything has ended.
    async fn end(mut self) {
        self.living.clear();
        let last = self.store.steady_worker(&format!("last-{}", self.seed)).await;
        for _ in 0..5 {
            self.store.advance(Duration::from_secs(60)).await;
            self.store.rescue().await;
            let claimed = last.claim_all(50).await;
            let ends = claimed.into_iter().map(|task| succeeded(task, "1"));
            last.finish(ends.collect()).await;
        }
        let known: Vec<TaskId> = std::mem::take(&mut self.seen).into_keys().collect();
        self.look("in the end").await;
        assert!(known.iter().eq(self.seen.keys()), "a task is gone in the end");
        for record in self.seen.values() {
            assert!(record.status.is_finished(), "it never ended: {record:?}");
        }
        self.store.advance(Duration::from_secs(60)).await;
        let ended = self.store.prune(&older_than(Duration::ZERO)).await;
        assert_eq!(ended, self.seen.len() as u64);
        last.leave().await;
    }
}

/// What is true of every task at every moment, and from one moment to the next.
fn check(record: &TaskRecord, before: Option<&TaskRecord>, when: &str) {
    let status = record.status;
    assert_eq!(
        record.worker_ids.len(),
        record.attempts as usize,
        "{when}: {record:?}"
    );
    assert_eq!(
        record.finished_at.is_some(),
        status.is_finished(),
        "{when}: {record:?}"
    );
    assert_eq!(
        record.return_value.is_some(),
        status == TaskStatus::Successful,
        "{when}: {record:?}"
    );
    let ended = record.attempts as usize - usize::from(status == TaskStatus::Running);
    let without_value = ended - usize::from(status == TaskStatus::Successful);
    assert_eq!(record.errors.len(), without_value, "{when}: {record:?}");
    assert_eq!(
        record.started_at.is_some(),
        record.attempts > 0,
        "{when}: {record:?}"
    );
    for (number, error) in (1..).zip(&record.errors) {
        assert_eq!(error.attempt, number, "{when}: {record:?}");
    }
    let Some(before) = before else { return };
    assert!(
        before.status == status || before.status.can_become(status),
        "{when}: {} became {status}",
        before.status
    );
    assert!(
        record.errors.starts_with(&before.errors),
        "{when}: history was lost, {before:?} became {record:?}"
    );
    assert!(
        record.started_at >= before.started_at || before.status == TaskStatus::Running,
        "{when}"
    );
}
