//! Several processes on one store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::{Cancellation, ErrorKind, TaskBackend, TaskId, TaskQueue, TaskStatus, Wake, get_result_on};

use crate::Store;
use crate::played_worker::{PlayedWorker, claimed_ids, introduction, succeeded};
use crate::scene::{LEASE, PATIENCE, SOON, ids, many, new_task};
use crate::tasks::echo;

fn queue(backend: &Arc<dyn TaskBackend>) -> &dyn TaskQueue {
    backend.queue().expect("the worker's face")
}

/// A result can be looked up from any thread and process, exactly where that is declared.
pub async fn a_result_is_looked_up_from_another_process(store: Store) {
    assert!(store.backend().capabilities().get_result);
    let other = store.open().await;
    let result = echo::new("x")
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    let there = task_core::Backends::single(other.clone());
    let again = get_result_on::<echo>(result.id(), &there)
        .await
        .expect("it is there");
    assert_eq!(again, result);
    other.close().await;
}

/// No task is ever claimed by two workers at a time, in whatever process they are.
pub async fn each_task_goes_to_one_process(store: Store) {
    let expected: BTreeSet<_> = ids(&store.enqueue_all(many(400)).await).into_iter().collect();
    let mut claimers = tokio::task::JoinSet::new();
    for number in 0..3 {
        let other = store.open().await;
        let worker = PlayedWorker::join(&other, &format!("w-{number}"), LEASE).await;
        claimers.spawn(async move {
            let claimed = claimed_ids(&worker.claim_all(9).await);
            other.close().await;
            claimed
        });
    }
    let claimed: Vec<TaskId> = claimers.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 400);
    assert!(claimed.into_iter().collect::<BTreeSet<_>>() == expected);
}

/// Cancel works on waiting and on running tasks, from another process.
pub async fn a_task_is_canceled_from_another_process(store: Store) {
    let other = store.open().await;
    let worker = store.worker("w").await;
    let tasks = ids(&store.enqueue_all(many(2)).await);
    let running = worker.claim(1).await;
    let answers = [
        other
            .cancel(tasks[0], &task_core::CancelRequest::default())
            .await
            .expect("it is there"),
        other
            .cancel(tasks[1], &task_core::CancelRequest::default())
            .await
            .expect("it is there"),
    ];
    assert_eq!(answers, [Cancellation::Requested, Cancellation::Canceled]);
    assert_eq!(worker.asked_to_stop().await, [tasks[0]]);
    assert_eq!(worker.claim(10).await.len(), 0);
    assert_eq!(store.find(tasks[1]).await.status, TaskStatus::Canceled);
    drop(running);
    other.close().await;
}

/// Dead workers are noticed by other workers.
pub async fn a_worker_lost_by_one_process_is_rescued_by_another(store: Store) {
    let other = store.open().await;
    let tasks = ids(&store.enqueue_all(many(3)).await);
    store.worker("lost").await.claim(3).await;
    store.outlive_leases().await;
    let rescued = queue(&other).rescue(100).await.expect("rescuing works");
    assert_eq!((rescued.workers, rescued.returned), (1, 3));
    let worker = PlayedWorker::join(&other, "new", LEASE).await;
    assert_eq!(claimed_ids(&worker.claim(10).await), tasks);
    other.close().await;
}

/// Two rescuers at a time return no task twice, in whatever process they are.
pub async fn two_processes_rescue_no_task_twice(store: Store) {
    store.enqueue_all(many(60)).await;
    for number in 0..6 {
        store.worker(&format!("w-{number}")).await.claim(10).await;
    }
    store.outlive_leases().await;
    let mut rescuers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let other = store.open().await;
        rescuers.spawn(async move {
            let mut returned = 0;
            loop {
                let rescued = queue(&other).rescue(10).await.expect("rescuing works");
                returned += rescued.returned;
                if rescued.returned == 0 {
                    other.close().await;
                    return returned;
                }
            }
        });
    }
    assert_eq!(rescuers.join_all().await.into_iter().sum::<usize>(), 60);
    let claimed = store.worker("v").await.claim_all(100).await;
    assert_eq!(claimed.len(), 60);
}

/// A worker whose lease ran out cannot write the result of its task, through whatever
/// process it tries.
pub async fn a_lost_lease_is_refused_by_every_process(store: Store) {
    let other = store.open().await;
    let task = store.enqueue(new_task()).await;
    let late = store.worker("late").await.claim_one().await;
    store.outlive_leases().await;
    queue(&other).rescue(100).await.expect("rescuing works");
    let worker = PlayedWorker::join(&other, "new", LEASE).await;
    let claimed = worker.claim_one().await;
    let refused = worker.tell(vec![succeeded(late, "\"late\"")]).await;
    assert_eq!(refused, [task.id]);
    worker.finish(vec![succeeded(claimed, "\"in time\"")]).await;
    let value = store.find(task.id).await.return_value;
    assert_eq!(value.as_deref(), Some("\"in time\""));
    other.close().await;
}

/// Returns when there may be something to claim, also when another process enqueued it.
pub async fn an_enqueue_of_another_process_ends_the_wait(store: Store) {
    let other = store.open().await;
    let worker = store.worker("w").await;
    for _ in 0..5 {
        let seen = store.queue().wait(Wake::default(), Duration::ZERO).await;
        let backend = store.backend().clone();
        let waiting = tokio::spawn(async move {
            let began = Instant::now();
            queue(&backend).wait(seen, PATIENCE).await;
            began.elapsed()
        });
        tokio::task::yield_now().await;
        other.enqueue(vec![new_task()]).await.expect("accepted");
        let waited = waiting.await.expect("waiting does not panic");
        assert!(waited < SOON, "nobody woke it in {waited:?}");
        worker.claim_one().await;
    }
    other.close().await;
}

/// Nothing that comes between two waits is missed, also when it comes from another process.
pub async fn what_another_process_enqueues_between_two_waits_is_not_missed(store: Store) {
    let other = store.open().await;
    let worker = store.worker("w").await;
    let mut seen = store.queue().wait(Wake::default(), Duration::ZERO).await;
    for _ in 0..10 {
        // A wait may end early, so claim until nothing is left, as a worker does.
        while !worker.claim(10).await.is_empty() {}
        other.enqueue(vec![new_task()]).await.expect("accepted");
        let began = Instant::now();
        loop {
            seen = store.queue().wait(seen, PATIENCE).await;
            assert!(began.elapsed() < SOON, "it was missed");
            if !worker.claim(10).await.is_empty() {
                break;
            }
        }
    }
    other.close().await;
}

/// Returns when a task may have changed, also when another process changed it.
pub async fn a_change_by_another_process_is_noticed(store: Store) {
    let other = store.open().await;
    let backend = store.backend().clone();
    let waiting = tokio::spawn(async move { backend.changed(PATIENCE).await });
    let began = Instant::now();
    // A change that comes before the waiter stands in line does not count, so there are several.
    while !waiting.is_finished() {
        other.enqueue(vec![new_task()]).await.expect("accepted");
        assert!(
            began.elapsed() < SOON,
            "tasks are enqueued and nobody hears of it"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waiting.await.expect("waiting does not panic");
    other.close().await;
}

/// Waits until the task has ended, wherever that is written.
pub async fn waiting_for_a_result_sees_the_end_another_process_wrote(store: Store) {
    let other = store.open().await;
    let mut result = echo::new("x")
        .enqueue_on(&store.backends())
        .await
        .expect("accepted");
    let waiting = tokio::spawn(async move { result.wait(PATIENCE).await });
    let worker = PlayedWorker::join(&other, "w", LEASE).await;
    let claimed = worker.claim_one().await;
    worker
        .finish(vec![succeeded(claimed, "\"done elsewhere\"")])
        .await;
    let value = waiting.await.expect("waiting does not panic");
    assert_eq!(value.expect("it was successful"), "done elsewhere");
    other.close().await;
}

/// Several processes enqueue at a time: everything is stored, once, and arrives in the order
/// each of them enqueued it.
pub async fn many_processes_enqueue_at_a_time_and_nothing_is_lost(store: Store) {
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let other = store.open().await;
        callers.spawn(async move {
            let mut mine = Vec::new();
            for size in [1, 1, 30, 1, 5, 1, 1, 60] {
                let records = other.enqueue(many(size)).await.expect("accepted");
                mine.extend(ids(&records));
            }
            other.close().await;
            mine
        });
    }
    let all = callers.join_all().await;
    let claimed = claimed_ids(&store.worker("w").await.claim(10_000).await);
    assert_eq!(claimed.len(), 400);
    for mine in all {
        let place = |id: &TaskId| claimed.iter().position(|claimed| claimed == id);
        let places: Vec<_> = mine.iter().map(place).collect();
        assert!(places.iter().all(Option::is_some), "one was lost");
        assert!(places.is_sorted(), "not in the order of its caller");
    }
}

/// Its name, unique among living workers.
pub async fn one_name_belongs_to_one_living_worker_of_all_processes(store: Store) {
    let other = store.open().await;
    store.worker("w").await;
    let error = queue(&other).join(&introduction("w")).await;
    let error = error.expect_err("one of this name lives");
    assert_eq!(error.kind(), ErrorKind::State);
    other.close().await;
}
