//! Which task comes first.

use std::cmp::Reverse;
use std::time::Duration;

use task_core::{NewTask, TaskId, TaskRecord, TaskStatus, Timestamp};

use crate::Store;
use crate::played_worker::{claimed_ids, succeeded, unstarted};
use crate::scene::{NAMES, due_in, ids, in_queue, new_task};

fn with_priority(priority: i32) -> NewTask {
    NewTask {
        priority,
        ..new_task()
    }
}

/// In order of priority, then due time, then arrival.
pub async fn in_order_of_priority_then_due_time_then_arrival(store: Store) {
    let minute = Duration::from_secs(60);
    let low = store.enqueue(with_priority(-100)).await.id;
    let later = store.enqueue(due_in(2 * minute)).await.id;
    let sooner = store.enqueue(due_in(minute)).await.id;
    let first = store.enqueue(new_task()).await.id;
    let second = store.enqueue(new_task()).await.id;
    let high = store.enqueue(with_priority(100)).await.id;
    store.advance(3 * minute).await;
    let last = store.enqueue(new_task()).await.id;
    let claimed = store.worker("w").await.claim(10).await;
    assert_eq!(
        claimed_ids(&claimed),
        [high, first, second, sooner, later, last, low]
    );
}

/// A hundred and twenty tasks of four queues, three names, many priorities and due times,
/// in no order at all. The same every time, so that a failure can be repeated.
fn jumble(round: u32) -> Vec<NewTask> {
    let mut state = 0x2545_f491_u32.wrapping_add(round);
    let mut below = move |bound: u32| {
        // Xorshift: good enough to mix cards.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % bound
    };
    (0..120)
        .map(|_| NewTask {
            queue: format!("q-{}", below(4)).into(),
            name: NAMES[below(3) as usize].into(),
            priority: i32::try_from(below(5)).unwrap_or(0) - 2,
            run_after: match below(3) {
                0 => Some(Duration::from_secs(u64::from(below(40))).into()),
                _ => None,
            },
            ..new_task()
        })
        .collect()
}

/// The order in which these tasks are to be claimed; they stand in the order of arrival.
fn in_order(mut records: Vec<TaskRecord>) -> Vec<TaskId> {
    let due = |record: &TaskRecord| -> Timestamp { record.run_after.unwrap_or(record.enqueued_at) };
    // A stable sort leaves those of one priority and due time as they arrived.
    records.sort_by_key(|record| (Reverse(record.priority), due(record)));
    ids(&records)
}

/// In order of priority, then due time, then arrival: one order over all queues and names,
/// whether tasks are claimed one by one or all together.
pub async fn one_order_over_all_queues_and_names_whatever_the_limit(store: Store) {
    for (round, limit) in (0..).zip([1, 2, 7, 50, 1_000]) {
        let mut records = Vec::new();
        // Several calls, so that arrival is not only the order within one of them.
        let mut tasks = jumble(round);
        while !tasks.is_empty() {
            let rest = tasks.split_off(tasks.len().min(17));
            records.extend(store.enqueue_all(tasks).await);
            tasks = rest;
        }
        store.advance(Duration::from_secs(60)).await;
        let worker = store.worker(&format!("w-{limit}")).await;
        let claimed = worker.claim_all(limit).await;
        assert!(
            claimed_ids(&claimed) == in_order(records),
            "not in order in batches of {limit}"
        );
        let ends = claimed.into_iter().map(|task| succeeded(task, "null")).collect();
        worker.finish(ends).await;
    }
}

/// One queue has most of the tasks and all of the oldest: however many are claimed at a time,
/// none of another queue overtakes them.
pub async fn a_crowded_queue_is_served_in_order_beside_sparse_ones(store: Store) {
    for limit in [10, 100, 150, 1_000] {
        let crowd = (0..200).map(|_| in_queue("crowded"));
        let sparse = (0..180).map(|number| in_queue(&format!("sparse-{}", number % 3)));
        let late = (0..20).map(|_| in_queue("crowded"));
        let tasks = crowd.chain(sparse).chain(late).collect();
        let expected = ids(&store.enqueue_all(tasks).await);
        let worker = store.worker(&format!("w-{limit}")).await;
        let claimed = worker.claim_all(limit).await;
        assert!(
            claimed_ids(&claimed) == expected,
            "not in order in batches of {limit}"
        );
    }
}

/// In one order over all queues and names a worker takes from, whoever looked before it and
/// took only a part.
pub async fn one_order_for_each_of_several_workers_that_take_differently(store: Store) {
    for round in 0..4 {
        let mut records = Vec::new();
        for tasks in jumble(round).chunks(17) {
            records.extend(store.enqueue_all(tasks.to_vec()).await);
        }
        store.advance(Duration::from_secs(60)).await;
        let named = |number: u32| format!("w-{round}-{number}");
        let workers = [
            store.worker(&named(0)).await.only(&["q-2"]),
            store.worker(&named(1)).await.except(&["q-0", "q-2"]),
            store.worker(&named(2)).await.knowing(&[NAMES[1]]),
            store.worker(&named(3)).await,
        ];
        let takes = |worker: usize, record: &TaskRecord| match worker {
            0 => &*record.queue == "q-2",
            1 => !["q-0", "q-2"].contains(&&*record.queue),
            2 => &*record.name == NAMES[1],
            _ => true,
        };
        for turn in 0.. {
            let number = turn % workers.len();
            // Some come late, when all that is left was seen by somebody.
            if records.is_empty() {
                break;
            }
            let (own, others): (Vec<_>, Vec<_>) =
                records.into_iter().partition(|record| takes(number, record));
            let limit = [5, 1, 9, 3][number];
            let expected: Vec<TaskId> = in_order(own.clone()).into_iter().take(limit).collect();
            let claimed = workers[number].claim(limit).await;
            assert!(
                claimed_ids(&claimed) == expected,
                "turn {turn} of round {round} is not in order"
            );
            records = own.into_iter().chain(others).collect();
            records.retain(|record| !expected.contains(&record.id));
            // As they arrived, which is what a stable sort goes by.
            records.sort_by_key(|record| record.id);
            let ends = claimed.into_iter().map(|task| succeeded(task, "null")).collect();
            workers[number].finish(ends).await;
        }
    }
}

/// However many tasks stand in front that a worker does not take, it gets what is behind them, and
/// they wait in their order for those who take them.
pub async fn a_worker_gets_what_stands_behind_thousands_that_are_not_for_it(store: Store) {
    let crowd = (0..5_000).map(|number| NewTask {
        priority: 1,
        ..in_queue(&format!("theirs-{}", number % 3))
    });
    let expected = ids(&store.enqueue_all(crowd.collect()).await);
    let own = store.enqueue(in_queue("mine")).await.id;
    let late = store.enqueue(in_queue("theirs-0")).await.id;
    let picky = store.worker("picky").await.only(&["mine"]);
    assert_eq!(claimed_ids(&picky.claim(10).await), [own]);
    let counts = store.admin().counts().await.expect("tasks can be counted");
    let waiting = counts.iter().filter(|count| count.status == TaskStatus::Ready);
    assert_eq!(waiting.map(|count| count.tasks).sum::<u64>(), 5_001);
    let claimed = store.worker("w").await.claim_all(700).await;
    let expected: Vec<TaskId> = expected.into_iter().chain([late]).collect();
    assert!(claimed_ids(&claimed) == expected, "not in order");
}

/// A scheduled task takes its place by priority and due time once it is due.
pub async fn what_was_scheduled_takes_its_place_when_it_is_due(store: Store) {
    let minute = Duration::from_secs(60);
    let ready = store.enqueue(new_task()).await.id;
    let urgent = store
        .enqueue(NewTask {
            priority: 1,
            ..due_in(minute)
        })
        .await
        .id;
    let worker = store.steady_worker("w").await;
    store.advance(2 * minute).await;
    let newest = store.enqueue(new_task()).await.id;
    let claimed = worker.claim(10).await;
    assert_eq!(claimed_ids(&claimed), [urgent, ready, newest]);
}

/// A task that comes back unstarted, given back or rescued, keeps its place before those
/// that arrived after it.
pub async fn a_task_that_comes_back_unstarted_keeps_its_place(store: Store) {
    let mut expected = ids(&store.enqueue_all(vec![new_task(), new_task()]).await);
    let (giving, dying) = (store.worker("giving").await, store.worker("dying").await);
    let first = giving.claim(1).await;
    assert_eq!(dying.claim_starting(1, 0).await.len(), 1);
    store.advance(Duration::from_secs(1)).await;
    expected.extend(ids(&store.enqueue_all(vec![new_task(), new_task()]).await));
    giving.give_back(first.into_iter().map(unstarted).collect()).await;
    store.outlive_leases().await;
    store.rescue().await;
    let claimed = store.worker("w").await.claim_all(1).await;
    assert_eq!(claimed_ids(&claimed), expected);
}

/// Tasks of one call arrive in the order in which they stand in it.
pub async fn the_order_of_one_call_is_the_order_of_arrival(store: Store) {
    let mut tasks: Vec<NewTask> = (0..300).map(|_| new_task()).collect();
    tasks.reverse();
    let expected: Vec<_> = tasks.iter().map(|task| task.id).collect();
    store.enqueue_all(tasks).await;
    let claimed = store.worker("w").await.claim_all(70).await;
    assert!(claimed_ids(&claimed) == expected, "not in the order of the call");
}
