//! Taking tasks.

use std::collections::BTreeSet;
use std::time::Duration;

use task_core::{ErrorKind, NewTask, QueueSelection, TaskId, TaskStatus};

use crate::Store;
use crate::played_worker::{claimed_ids, succeeded};
use crate::scene::{NAMES, due_in, ids, in_queue, many, named, new_task, saying, with_policy};

/// Only tasks that are due, of the selected queues, with a known name.
pub async fn only_tasks_that_are_due_of_the_selected_queues_with_a_known_name(store: Store) {
    let fitting = store.enqueue(in_queue("mine")).await;
    for unfit in [
        NewTask {
            queue: "mine".into(),
            ..due_in(Duration::from_secs(60))
        },
        in_queue("theirs"),
        NewTask {
            queue: "mine".into(),
            ..named("unknown")
        },
    ] {
        store.enqueue(unfit).await;
    }
    let worker = store.worker("w").await.only(&["mine"]);
    assert_eq!(claimed_ids(&worker.claim(10).await), [fitting.id]);
    assert_eq!(worker.claim(10).await.len(), 0);
}

/// No task is ever claimed by two workers at a time.
pub async fn no_task_is_ever_claimed_by_two_workers_at_a_time(store: Store) {
    store.enqueue_all(many(200)).await;
    let mut claimers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let worker = store.worker(&format!("w-{number}")).await;
        claimers.spawn(async move { claimed_ids(&worker.claim_all(7).await) });
    }
    let claimed: Vec<TaskId> = claimers.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 200);
    let different: BTreeSet<_> = claimed.into_iter().collect();
    assert_eq!(different.len(), 200, "no task twice");
}

/// A worker that left or was lost claims nothing.
pub async fn a_worker_that_left_or_was_lost_claims_nothing(store: Store) {
    let (gone, lost) = (store.worker("gone").await, store.worker("lost").await);
    let task = store.enqueue(new_task()).await;
    gone.leave().await;
    let error = gone.try_claim(1).await.expect_err("it left");
    assert_eq!(error.kind(), ErrorKind::State);
    store.outlive_leases().await;
    store.rescue().await;
    let error = lost.try_claim(1).await.expect_err("it was given up");
    assert_eq!(error.kind(), ErrorKind::State);
    assert_eq!(store.find(task.id).await.status, TaskStatus::Ready);
    assert_eq!(store.worker("alive").await.claim_one().await.record.id, task.id);
}

/// A claimed task brings the metadata it was enqueued with.
pub async fn a_claimed_task_brings_its_metadata(store: Store) {
    let metadata = r#"{"tenant":"acme","trace":"00-4bf92f"}"#;
    store
        .enqueue(NewTask {
            metadata: Some(metadata.into()),
            ..new_task()
        })
        .await;
    let claimed = store.worker("w").await.claim_one().await;
    assert_eq!(claimed.record.metadata.as_deref(), Some(metadata));
    assert_eq!(claimed.record.metadata()["tenant"], "acme");
}

/// A selection names queues to take from, queues never to take from, or both.
pub async fn only_these_queues_and_never_those(store: Store) {
    let queues = ["a", "b", "c"];
    for (only, except, expected) in [
        (None, &[][..], &["a", "b", "c"][..]),
        (Some(&["b"][..]), &[][..], &["b"][..]),
        (Some(&["c", "a", "nobody's"][..]), &[][..], &["a", "c"][..]),
        (None, &["b"][..], &["a", "c"][..]),
        (Some(&["a", "b"][..]), &["b", "c"][..], &["a"][..]),
        (Some(&[][..]), &[][..], &[][..]),
    ] {
        store.enqueue_all(queues.map(in_queue).into()).await;
        let mut worker = store.worker(&format!("w-{}", TaskId::new())).await.except(except);
        if let Some(only) = only {
            worker = worker.only(only);
        }
        let claimed = worker.claim_all(2).await;
        let taken: Vec<_> = claimed.iter().map(|task| &*task.record.queue).collect();
        assert_eq!(taken, expected, "only {only:?}, except {except:?}");
        store
            .worker(&format!("rest-{expected:?}{except:?}"))
            .await
            .claim_all(9)
            .await;
    }
    assert_eq!(QueueSelection::default().to_string(), "*");
}

/// An unknown task name waits for a worker that knows it; it is not failed by one that does not.
pub async fn a_task_with_an_unknown_name_waits_for_a_worker_that_knows_it(store: Store) {
    // Of higher priority and first in line, so it must be stepped over.
    let unknown = store
        .enqueue(NewTask {
            priority: 100,
            ..named("another::program")
        })
        .await;
    let known = store.enqueue(new_task()).await;
    let worker = store.worker("knows little").await;
    assert_eq!(worker.claim_one().await.record.id, known.id);
    assert_eq!(store.find(unknown.id).await, unknown, "untouched");
    let other = store.worker("knows it").await.knowing(&["another::program"]);
    assert_eq!(other.claim_one().await.record.id, unknown.id);
    let nobody = store.worker("knows nothing").await.knowing(&[]);
    store.enqueue(new_task()).await;
    assert_eq!(nobody.claim(9).await.len(), 0);
}

/// A task queued under an old name goes to a worker that knows it as an alias, and keeps its name.
pub async fn a_task_under_an_old_name_goes_to_a_worker_that_knows_the_alias(store: Store) {
    let queued = store.enqueue(named("conformance::formerly")).await;
    let names = task_core::Registry::global().expect("every task has its own name");
    let names: Vec<_> = names.names().into_iter().collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let worker = store.worker("w").await.knowing(&names);
    let claimed = worker.claim_one().await;
    assert_eq!(claimed.record, queued);
}

/// At most as many tasks as were asked for; asked for none, none.
pub async fn at_most_as_many_as_were_asked_for(store: Store) {
    store.enqueue_all(many(5)).await;
    let worker = store.worker("w").await;
    for (limit, expected) in [(0, 0), (2, 2), (1, 1), (10, 2), (10, 0)] {
        assert_eq!(worker.claim(limit).await.len(), expected);
    }
}

/// With nothing to claim the answer is empty and nothing is written.
pub async fn nothing_to_claim_is_an_empty_answer(store: Store) {
    let worker = store.worker("w").await;
    let claim = worker.try_claim(10).await.expect("the worker lives");
    assert_eq!((claim.tasks.len(), claim.next_due), (0, None));
}

/// What is claimed is the task as it was found a moment before: `READY` still, since its
/// attempt begins when the worker starts it.
pub async fn what_is_claimed_is_the_task_as_it_was_found_before(store: Store) {
    let task = NewTask {
        priority: -3,
        queue: "q".into(),
        ..with_policy(5, 2)
    };
    let enqueued = store.enqueue(task).await;
    let found = store.find(enqueued.id).await;
    let claimed = store.worker("w").await.claim_one().await;
    assert_eq!(claimed.record, found);
    assert_eq!(claimed.lease.id(), enqueued.id);
    assert_eq!(claimed.last_attempt, 5);
    assert!(claimed.claimed_at >= enqueued.enqueued_at);
}

/// The batch is the token of a claim: no two claims have one in common. Positions count
/// from 0 in the order in which to start.
pub async fn each_claim_has_a_batch_of_its_own_with_positions_from_0(store: Store) {
    store.enqueue_all(many(9)).await;
    let workers = [store.worker("v").await, store.worker("w").await];
    let mut batches = BTreeSet::new();
    for worker in workers.iter().chain(&workers).chain(&workers) {
        // Three claims of each worker, of which the last finds nothing.
        let claimed = worker.claim(2).await;
        for (position, task) in (0..).zip(&claimed) {
            assert_eq!(task.lease.batch(), claimed[0].lease.batch());
            assert_eq!(task.lease.position(), position);
            assert_eq!(task.claimed_at, claimed[0].claimed_at);
        }
        if let Some(first) = claimed.first() {
            assert!(batches.insert(first.lease.batch()), "a batch of its own");
        }
    }
    assert_eq!(batches.len(), 5);
}

/// A claimed task is `RUNNING`: its attempt counts, and its worker is named.
pub async fn a_claimed_task_is_running_under_its_workers_name(store: Store) {
    let enqueued = store.enqueue(new_task()).await;
    let claimed = store.worker("the worker").await.claim_one().await;
    let found = store.find(enqueued.id).await;
    assert_eq!(found.status, TaskStatus::Running);
    assert_eq!(found.attempts, 1);
    assert_eq!(found.worker_ids, ["the worker"]);
    assert_eq!(found.started_at, Some(claimed.claimed_at));
    assert_eq!(found.last_attempted_at, Some(claimed.claimed_at));
    assert_eq!((found.finished_at, found.return_value), (None, None));
    assert_eq!(found.errors, []);
    assert_eq!(found.enqueued_at, enqueued.enqueued_at);
}

/// Three thousand tasks of several queues and names, claimed by four workers at a time in
/// batches of different sizes and finished as they go: every task once, none left.
pub async fn thousands_of_tasks_are_claimed_without_loss(store: Store) {
    let mut expected = BTreeSet::new();
    for chunk in 0_i32..6 {
        let tasks: Vec<NewTask> = (0_i32..500)
            .map(|number| NewTask {
                name: NAMES[usize::try_from(number % 3).unwrap_or(0)].into(),
                queue: format!("q-{}", (number + chunk) % 4).into(),
                priority: number % 5 - 2,
                ..saying(&number.to_string())
            })
            .collect();
        expected.extend(ids(&store.enqueue_all(tasks).await));
    }
    assert_eq!(expected.len(), 3_000);
    let mut claimers = tokio::task::JoinSet::new();
    for (number, batch) in [1, 23, 100, 1_000].into_iter().enumerate() {
        let worker = store.worker(&format!("w-{number}")).await;
        claimers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = worker.claim(batch).await;
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed_ids(&claimed));
                let ends = claimed
                    .into_iter()
                    .map(|task| succeeded(task, "\"done\""))
                    .collect();
                worker.finish(ends).await;
            }
        });
    }
    let claimed: Vec<TaskId> = claimers.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 3_000);
    assert!(
        claimed.iter().copied().collect::<BTreeSet<_>>() == expected,
        "every task once"
    );
    for id in claimed.iter().step_by(97) {
        assert_eq!(store.find(*id).await.status, TaskStatus::Successful);
    }
}
