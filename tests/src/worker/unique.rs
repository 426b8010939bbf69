//! Tasks of which the store keeps one at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use task_core::{
    ErrorKind, NewTask, PruneRule, TaskOptions, TaskResult, TaskStatus, Unique, UniqueUntil, enqueue_many_on,
};

use crate::Store;
use crate::played_worker::{failed, failed_for_now, succeeded, unstarted};
use crate::scene::{LEASE, ids, in_queue, new_task};
use crate::tasks::echo;

const MINUTE: Duration = Duration::from_secs(60);

/// A task of this key.
fn with_key(key: u8, until: UniqueUntil) -> NewTask {
    NewTask {
        unique: Some(Unique {
            key: [key; 16],
            until,
        }),
        ..new_task()
    }
}

fn until_ended() -> NewTask {
    with_key(1, UniqueUntil::Ended)
}

/// A task whose [`Unique`] key another one holds is not stored: the record of that one comes back in its place. Of
/// two in one call the second one finds the first.
pub async fn a_task_whose_key_is_held_is_not_stored_and_the_one_that_holds_it_comes_back(store: Store) {
    let first = store.enqueue(until_ended()).await;
    let second = until_ended();
    let answer = store.enqueue(second.clone()).await;
    assert_eq!(answer, first);
    assert_eq!(store.backend().find(second.id).await.expect("looked up"), None);
    let other = store.enqueue(with_key(2, UniqueUntil::Ended)).await;
    assert_ne!(other.id, first.id);
    assert_eq!(store.worker("w").await.claim(10).await.len(), 2);
    let running = store.enqueue(until_ended()).await;
    assert_eq!((running.id, running.status), (first.id, TaskStatus::Running));
}

/// Of two in one call the second finds the first, and the rest of the call is stored.
pub async fn of_two_in_one_call_the_second_finds_the_first_and_the_rest_is_stored(store: Store) {
    let held = store.enqueue(with_key(9, UniqueUntil::Ended)).await;
    let tasks = vec![
        new_task(),
        until_ended(),
        with_key(9, UniqueUntil::Ended),
        until_ended(),
        with_key(2, UniqueUntil::Ended),
        new_task(),
    ];
    let given: Vec<_> = tasks.iter().map(|task| task.id).collect();
    let answers = store.backend().enqueue(tasks).await.expect("accepted");
    assert_eq!(
        ids(&answers),
        [given[0], given[1], held.id, given[1], given[4], given[5]]
    );
    assert_eq!(store.worker("w").await.claim(10).await.len(), 5);
}

/// Until it has ended: whatever it does until then, and not longer.
pub async fn until_it_has_ended_it_keeps_others_out(store: Store) {
    let worker = store.steady_worker("w").await;
    for last in 0..3 {
        let first = store.enqueue(until_ended()).await;
        let keeps_out = async || assert_eq!(store.enqueue(until_ended()).await.id, first.id);
        let claimed = worker.claim_one().await;
        keeps_out().await;
        worker.give_back(vec![unstarted(claimed)]).await;
        keeps_out().await;
        let claimed = worker.claim_one().await;
        worker
            .finish(vec![failed_for_now(claimed, "not yet", MINUTE)])
            .await;
        keeps_out().await;
        store.advance(2 * MINUTE).await;
        let claimed = worker.claim_one().await;
        match last {
            0 => worker.finish(vec![succeeded(claimed, "1")]).await,
            1 => worker.finish(vec![failed(claimed, "no")]).await,
            _ => {
                worker.give_back(vec![unstarted(claimed)]).await;
                store.cancel(first.id).await;
            }
        }
        assert!(store.find(first.id).await.status.is_finished());
    }
    let next = store.enqueue(until_ended()).await;
    assert_eq!((next.status, next.attempts), (TaskStatus::Ready, 0));
}

/// Until it has started: while it runs, one more may wait.
pub async fn until_it_has_started_it_keeps_others_out(store: Store) {
    let task = || with_key(1, UniqueUntil::Started);
    let worker = store.worker("w").await;
    let first = store.enqueue(task()).await;
    assert_eq!(store.enqueue(task()).await.id, first.id);
    let claimed = worker.claim_one().await;
    let second = store.enqueue(task()).await;
    assert_ne!(second.id, first.id);
    assert_eq!(store.enqueue(task()).await.id, second.id);
    worker.finish(vec![succeeded(claimed, "1")]).await;
    assert_eq!(store.enqueue(task()).await.id, second.id);
    // Also one that is not due yet waits.
    let claimed = worker.claim_one().await;
    assert_eq!(claimed.record.id, second.id);
    let later = NewTask {
        run_after: Some(task_core::RunAfter::In(MINUTE)),
        ..task()
    };
    let third = store.enqueue(later).await;
    assert_eq!(store.enqueue(task()).await.id, third.id);
}

/// For a time: from when it was enqueued, whatever becomes of it.
pub async fn for_a_time_it_keeps_others_out_whatever_becomes_of_it(store: Store) {
    let task = || with_key(1, UniqueUntil::For(10 * MINUTE));
    let worker = store.steady_worker("w").await;
    let first = store.enqueue(task()).await;
    let claimed = worker.claim_one().await;
    worker.finish(vec![succeeded(claimed, "\"done\"")]).await;
    store.advance(9 * MINUTE).await;
    let held = store.enqueue(task()).await;
    assert_eq!(
        (held.id, held.return_value.as_deref()),
        (first.id, Some("\"done\""))
    );
    store.advance(2 * MINUTE).await;
    let second = store.enqueue(task()).await;
    assert_ne!(second.id, first.id);
    // Also while it waits.
    store.advance(11 * MINUTE).await;
    assert_ne!(store.enqueue(task()).await.id, second.id);
}

/// Of many callers at a time one task is stored, and all hear of it.
pub async fn of_many_callers_at_a_time_one_task_is_stored(store: Store) {
    for round in 0..3 {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let backend = store.backend().clone();
            let task = NewTask {
                unique: Some(Unique {
                    key: [round; 16],
                    until: UniqueUntil::Ended,
                }),
                ..new_task()
            };
            calls.spawn(async move { backend.enqueue(vec![task]).await.expect("accepted")[0].id });
        }
        let answers: BTreeSet<_> = calls.join_all().await.into_iter().collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
    assert_eq!(store.worker("w").await.claim(10).await.len(), 3);
}

/// A task that was pruned keeps nobody out, and neither does one that was retried when another one
/// took its place.
pub async fn a_task_that_was_pruned_keeps_nobody_out(store: Store) {
    let task = || with_key(1, UniqueUntil::For(1_000 * MINUTE));
    let worker = store.steady_worker("w").await;
    let first = store.enqueue(task()).await;
    let claimed = worker.claim_one().await;
    worker.finish(vec![succeeded(claimed, "1")]).await;
    store.advance(10 * MINUTE).await;
    let rule = PruneRule {
        min_age: MINUTE,
        failed_min_age: None,
        queues: Vec::new(),
        dry_run: false,
    };
    assert_eq!(store.admin().prune(&rule).await.expect("pruned"), 1);
    let second = store.enqueue(task()).await;
    assert_ne!(second.id, first.id);
    assert_eq!(store.enqueue(task()).await.id, second.id);
}

/// A task whose worker was lost keeps others out: it will run again.
pub async fn a_task_that_lost_its_worker_keeps_others_out(store: Store) {
    let first = store.enqueue(until_ended()).await;
    let worker = store.worker("w").await;
    worker.claim_one().await;
    store.advance(2 * LEASE).await;
    assert_eq!(store.enqueue(until_ended()).await.id, first.id);
    store.rescue().await;
    assert_eq!(store.enqueue(until_ended()).await.id, first.id);
}

/// Calls of one key are one task, also for whoever enqueues the second; another key, queue or text is another.
pub async fn calls_of_one_key_are_one_task(store: Store) {
    let backends = store.backends();
    let key = |key: &str| TaskOptions::default().unique_key(key);
    let call = |text: &str, options| echo::new(text).using(options).enqueue_on(&backends);
    let first = call("a", key("one")).await.expect("accepted");
    assert!(!first.existed());
    let second = call("b", key("one")).await.expect("answered");
    assert!(second.existed());
    assert_eq!(second.record(), first.record());
    for other in [key("two"), key("one").queue("elsewhere"), TaskOptions::default()] {
        let other = call("a", other).await.expect("accepted");
        assert!(!other.existed());
    }
    let many = ["one", "three", "three"].map(|text| echo::new("c").using(key(text)));
    let many = enqueue_many_on(many.into(), &backends).await.expect("accepted");
    let existed: Vec<_> = many.iter().map(TaskResult::existed).collect();
    assert_eq!(existed, [true, false, true]);
    assert_eq!((many[0].id(), many[2].id()), (first.id(), many[1].id()));
    let zero = key("one").unique_until(UniqueUntil::For(Duration::ZERO));
    let error = call("a", zero).await.expect_err("no time at all");
    assert_eq!(error.kind(), ErrorKind::InvalidTask);
}

/// A thousand keys are held at a time, of several queues.
pub async fn a_thousand_keys_are_held_at_a_time(store: Store) {
    let task = |number: u16| NewTask {
        unique: Some(Unique {
            key: {
                let mut key = [7; 16];
                key[..2].copy_from_slice(&number.to_be_bytes());
                key
            },
            until: UniqueUntil::Ended,
        }),
        ..in_queue(&format!("queue-{}", number % 3))
    };
    let tasks: Vec<_> = (0..1_000).map(task).collect();
    let first = store.backend().enqueue(tasks).await.expect("accepted");
    let tasks: Vec<_> = (0..1_000).rev().map(task).collect();
    let mut again = store.backend().enqueue(tasks).await.expect("accepted");
    again.reverse();
    assert_eq!(ids(&again), ids(&first));
}
