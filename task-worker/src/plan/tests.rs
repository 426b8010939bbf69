use proptest::prelude::*;
use task_core::{Pausable, TaskEntry, TaskFailure};

use super::*;
use crate::limits::ConcurrencyLimits;

const QUEUES: [&str; 4] = ["a", "b", "c", "d"];
const TASKS: [&str; 3] = ["x", "y", "z"];

fn registry() -> Registry {
    let mut registry = Registry::new();
    for name in TASKS {
        let entry = TaskEntry::new(name, |_, _| {
            Box::pin(async { Err(TaskFailure::new(task_core::FailureKind::Error, "never run")) })
        });
        registry
            .insert(entry.located("tests", "plan.rs", 1))
            .expect("a free name");
    }
    registry
}

fn limits(queues: &[(&str, usize)], tasks: &[(&str, usize)]) -> ConcurrencyLimits {
    let owned = |limits: &[(&str, usize)]| limits.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    ConcurrencyLimits {
        queues: owned(queues),
        tasks: owned(tasks),
    }
}

fn weighted(weights: &[(&str, u32)]) -> QueueOrder {
    QueueOrder::Weighted(weights.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect())
}

fn plan(limits: ConcurrencyLimits, queue_order: QueueOrder) -> Plan {
    let options = WorkerOptions {
        limits,
        queue_order,
        ..WorkerOptions::default()
    };
    crate::limits::check(&options, &registry()).expect("good options");
    Plan::new(&options, &registry())
}

/// A store and a worker that claims from it by a plan.
struct Game {
    plan: Plan,
    /// What waits, by queue and name.
    waiting: Vec<((&'static str, &'static str), usize)>,
    /// What runs, with its cell, in the order of its starts.
    running: Vec<(usize, (&'static str, &'static str))>,
    slots: usize,
    now: Instant,
}

impl Game {
    fn new(plan: Plan, slots: usize) -> Self {
        Self {
            plan,
            waiting: QUEUES
                .iter()
                .flat_map(|queue| TASKS.map(|task| ((*queue, task), 0)))
                .collect(),
            running: Vec::new(),
            slots,
            now: Instant::now(),
        }
    }

    fn enqueue(&mut self, queue: &str, task: &str, count: usize) {
        for ((in_queue, name), waiting) in &mut self.waiting {
            if *in_queue == queue && *name == task {
                *waiting += count;
            }
        }
        self.plan.wake();
    }

    fn held(&self) -> Vec<usize> {
        let mut held = vec![0; self.plan.cells()];
        self.running.iter().for_each(|(cell, _)| held[*cell] += 1);
        held
    }

    /// Claims once; `false` when there is nothing to claim.
    fn claim(&mut self) -> bool {
        self.now += Duration::from_millis(1);
        let free = self.slots - self.running.len();
        let Some(choice) = self.plan.choose(free, &self.held(), self.now) else {
            return false;
        };
        assert!((1..=free).contains(&choice.limit), "{choice:?} of {free}");
        self.plan.asked(choice.cell);
        let (queues, names) = self.plan.taking(choice.cell);
        let mut brought = 0;
        for (kind, waiting) in &mut self.waiting {
            if !queues.includes(kind.0) || !names.contains(kind.1) {
                continue;
            }
            let taken = (*waiting).min(choice.limit - brought);
            *waiting -= taken;
            brought += taken;
            self.running
                .extend(std::iter::repeat_n((choice.cell, *kind), taken));
        }
        self.plan.brought(choice, brought, None, self.now);
        true
    }

    fn fill(&mut self) {
        while self.claim() {}
    }

    fn runs_of(&self, is_meant: impl Fn(&str, &str) -> bool) -> usize {
        self.running
            .iter()
            .filter(|(_, (queue, task))| is_meant(queue, task))
            .count()
    }

    fn waits(&self) -> usize {
        self.waiting.iter().map(|(_, waiting)| waiting).sum()
    }
}

#[test]
fn without_limits_a_claim_is_one_over_everything() {
    let plan = plan(ConcurrencyLimits::default(), QueueOrder::Priority);
    assert_eq!(plan.cells(), 1);
    let choice = plan.choose(7, &[1000], Instant::now());
    assert_eq!(choice, Some(Choice { cell: 0, limit: 7 }));
    assert_eq!(plan.taking(0).0, QueueSelection::default());
    assert_eq!(*plan.taking(0).1, registry().names());
}

#[test]
fn a_full_queue_does_not_stop_the_others() {
    let mut game = Game::new(plan(limits(&[("a", 1)], &[]), QueueOrder::Priority), 10);
    game.enqueue("a", "x", 100);
    game.fill();
    assert_eq!(game.running.len(), 1);
    game.enqueue("b", "x", 100);
    game.fill();
    assert_eq!(
        (game.runs_of(|queue, _| queue == "a"), game.running.len()),
        (1, 10)
    );
}

#[test]
fn strict_order_takes_a_later_queue_only_when_the_earlier_ones_have_nothing() {
    let order = QueueOrder::Strict(vec!["c".to_owned(), "a".to_owned()]);
    let mut game = Game::new(plan(ConcurrencyLimits::default(), order), 4);
    for queue in ["a", "b", "c"] {
        game.enqueue(queue, "x", 10);
    }
    let mut started = Vec::new();
    while game.waits() > 0 {
        game.fill();
        started.extend(game.running.drain(..).map(|(_, (queue, _))| queue));
    }
    assert_eq!(started, [["c"; 10], ["a"; 10], ["b"; 10]].concat());
}

#[test]
fn a_queue_that_had_nothing_saves_up_no_share() {
    let mut game = Game::new(
        plan(ConcurrencyLimits::default(), weighted(&[("a", 1), ("b", 1)])),
        1,
    );
    game.enqueue("a", "x", 2000);
    for _ in 0..1000 {
        game.fill();
        game.running.clear();
    }
    game.enqueue("b", "x", 1000);
    let mut of_b = 0;
    for _ in 0..100 {
        game.fill();
        of_b += game.runs_of(|queue, _| queue == "b");
        game.running.clear();
    }
    assert!((49..=51).contains(&of_b), "{of_b} of 100");
}

#[test]
fn what_is_empty_is_looked_at_again_while_others_are_busy() {
    let mut game = Game::new(plan(limits(&[("a", 2)], &[]), QueueOrder::Priority), 1);
    game.enqueue("b", "x", 10_000);
    for _ in 0..10 {
        game.fill();
        game.running.clear();
    }
    // Nothing wakes the worker: it never had to wait.
    game.waiting[0].1 = 1;
    let began = game.now;
    while game.runs_of(|queue, _| queue == "a") == 0 {
        game.running.clear();
        game.fill();
    }
    assert!(game.now - began <= 2 * LOOK_AGAIN, "{:?}", game.now - began);
}

#[test]
fn what_is_paused_altogether_is_not_claimed() {
    let mut plan = plan(limits(&[("a", 2)], &[]), QueueOrder::Priority);
    let mut paused = Paused::default();
    paused.add(Pausable::Queue("a".to_owned()));
    plan.set_paused(&paused);
    let choice = plan.choose(5, &[0, 0], Instant::now()).expect("the others go on");
    assert!(!plan.taking(choice.cell).0.includes("a") && plan.taking(choice.cell).0.includes("b"));
    paused.tasks.extend(TASKS.map(str::to_owned));
    plan.set_paused(&paused);
    assert_eq!(plan.choose(5, &[0, 0], Instant::now()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is enqueued and ends in whatever order: no limit is ever exceeded, nothing is left
    /// where there is room for it, and in the end everything ran.
    #[test]
    fn limits_hold_and_nothing_starves(
        on_queues in proptest::collection::btree_map(0..4_usize, 1..4_usize, 0..4),
        on_tasks in proptest::collection::btree_map(0..3_usize, 1..4_usize, 0..3),
        order in 0..3_usize,
        slots in 1..12_usize,
        moves in proptest::collection::vec((0..4_usize, 0..3_usize, 0..30_usize, any::<prop::sample::Index>()), 1..40),
    ) {
        let limits = ConcurrencyLimits {
            queues: on_queues.iter().map(|(queue, n)| (QUEUES[*queue].to_owned(), *n)).collect(),
            tasks: on_tasks.iter().map(|(task, n)| (TASKS[*task].to_owned(), *n)).collect(),
        };
        let order = match order {
            0 => QueueOrder::Priority,
            1 => QueueOrder::Strict(vec!["b".to_owned(), "a".to_owned()]),
            _ => weighted(&[("a", 5), ("c", 2)]),
        };
        let mut game = Game::new(plan(limits, order), slots);
        let check = |game: &Game| {
            for (queue, limit) in &on_queues {
                prop_assert!(game.runs_of(|of, _| of == QUEUES[*queue]) <= *limit);
            }
            for (task, limit) in &on_tasks {
                prop_assert!(game.runs_of(|_, of| of == TASKS[*task]) <= *limit);
            }
            if game.running.len() < slots {
                for ((queue, task), waiting) in &game.waiting {
                    let is_full = |limit: Option<&usize>, runs| limit.is_some_and(|limit| runs >= *limit);
                    let queue_at = QUEUES.iter().position(|name| name == queue).expect("one of them");
                    let task_at = TASKS.iter().position(|name| name == task).expect("one of them");
                    prop_assert!(
                        *waiting == 0
                            || is_full(on_queues.get(&queue_at), game.runs_of(|of, _| of == *queue))
                            || is_full(on_tasks.get(&task_at), game.runs_of(|_, of| of == *task)),
                        "{waiting} {task} of {queue} wait beside free slots"
                    );
                }
            }
            Ok(())
        };
        for (queue, task, count, ends) in moves {
            game.enqueue(QUEUES[queue], TASKS[task], count);
            game.fill();
            check(&game)?;
            if !game.running.is_empty() {
                let ended = ends.index(game.running.len());
                game.running.remove(ended);
            }
        }
        for _ in 0..10_000 {
            game.fill();
            check(&game)?;
            if game.running.is_empty() {
                break;
            }
            game.running.remove(0);
        }
        prop_assert_eq!(game.waits(), 0);
    }

    /// Queues that always have something get what their weights say, however many slots there are.
    #[test]
    fn busy_queues_share_by_their_weights(
        weights in proptest::collection::vec(1..10_u32, 2..4),
        slots in 1..50_usize,
    ) {
        let named: Vec<_> = weights.iter().enumerate().map(|(at, weight)| (QUEUES[at], *weight)).collect();
        let mut game = Game::new(plan(ConcurrencyLimits::default(), weighted(&named)), slots);
        for (queue, _) in &named {
            game.enqueue(queue, "x", 1_000_000);
        }
        let mut got = vec![0; named.len()];
        let mut all = 0;
        while all < 4000 {
            game.fill();
            all += 1;
            let (_, (queue, _)) = game.running.remove(0);
            got[QUEUES.iter().position(|name| *name == queue).expect("one of them")] += 1;
        }
        let sum: u32 = weights.iter().sum();
        for (got, weight) in got.iter().zip(&weights) {
            let (share, expected) = (f64::from(*got) / 4000.0, f64::from(*weight) / f64::from(sum));
            prop_assert!((share - expected).abs() < 0.02, "{share} instead of {expected}");
        }
    }
}
