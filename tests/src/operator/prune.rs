//! Deleting finished tasks.

use std::time::Duration;

use task_core::{CancelRequest, ErrorKind, Filter, NewTask, PruneRule, TaskId, TaskStatus};

use crate::Store;
use crate::played_worker::{failed, obeyed, succeeded};
use crate::scene::{ids, in_queue, many, new_task};

const DAY: Duration = Duration::from_secs(86_400);

/// Everything that ended this long ago.
pub(crate) fn older_than(min_age: Duration) -> PruneRule {
    PruneRule {
        min_age,
        failed_min_age: None,
        queues: Vec::new(),
        dry_run: false,
    }
}

impl Store {
    pub(crate) async fn prune(&self, rule: &PruneRule) -> u64 {
        self.admin().prune(rule).await.expect("tasks can be pruned")
    }

    /// Three tasks that ended: `SUCCESSFUL`, `FAILED`, `CANCELED`.
    async fn three_ended(&self, queue: &str) -> [TaskId; 3] {
        let tasks = (0..3).map(|_| in_queue(queue)).collect();
        let tasks = ids(&self.enqueue_all(tasks).await);
        let worker = self.worker(&format!("w-{}", TaskId::new())).await.only(&[queue]);
        let mut claimed = worker.claim(3).await;
        worker
            .finish(vec![
                succeeded(claimed.remove(0), "1"),
                failed(claimed.remove(0), "no"),
                obeyed(claimed.remove(0)),
            ])
            .await;
        worker.leave().await;
        [tasks[0], tasks[1], tasks[2]]
    }

    /// Which of these tasks are there.
    async fn which_are_there(&self, ids: &[TaskId]) -> Vec<bool> {
        let mut there = Vec::with_capacity(ids.len());
        for id in ids {
            there.push(self.has(*id).await);
        }
        there
    }
}

/// Waiting and running tasks are never deleted.
pub async fn waiting_and_running_tasks_are_never_deleted(store: Store) {
    let tasks = store.one_of_each_state("q").await;
    store.advance(DAY).await;
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 4);
    for (status, id) in tasks {
        assert_eq!(store.has(id).await, !status.is_finished(), "{status}");
    }
}

/// Age is counted from the end of the task, by the store's clock.
pub async fn age_is_counted_from_the_end_of_the_task_by_the_stores_clock(store: Store) {
    // Enqueued long ago, ended just now.
    let task = store.enqueue(new_task()).await;
    store.advance(100 * DAY).await;
    let worker = store.worker("w").await;
    worker
        .finish(vec![succeeded(worker.claim_one().await, "1")])
        .await;
    assert_eq!(store.prune(&older_than(DAY)).await, 0);
    store.advance(DAY - Duration::from_secs(60)).await;
    assert_eq!(store.prune(&older_than(DAY)).await, 0);
    assert!(store.has(task.id).await);
    store.advance(Duration::from_secs(120)).await;
    assert_eq!(store.prune(&older_than(DAY)).await, 1);
    assert!(!store.has(task.id).await);
}

/// Failed and canceled ones have an age of their own, longer or shorter; without it they
/// have that of the successful ones.
pub async fn failed_and_canceled_ones_have_an_age_of_their_own(store: Store) {
    for (failed_min_age, expected) in [
        (Some(20 * DAY), [false, true, true]),
        (Some(DAY), [false, false, false]),
        (None, [false, false, false]),
    ] {
        let tasks = store.three_ended("q").await;
        store.advance(10 * DAY).await;
        let rule = PruneRule {
            failed_min_age,
            ..older_than(5 * DAY)
        };
        store.prune(&rule).await;
        assert_eq!(store.which_are_there(&tasks).await, expected);
        store.advance(30 * DAY).await;
        store.prune(&older_than(Duration::ZERO)).await;
    }
    let tasks = store.three_ended("q").await;
    store.advance(10 * DAY).await;
    let rule = PruneRule {
        failed_min_age: Some(Duration::ZERO),
        ..older_than(50 * DAY)
    };
    assert_eq!(store.prune(&rule).await, 2);
    assert_eq!(store.which_are_there(&tasks).await, [true, false, false]);
}

/// Only of these queues; empty means of all.
pub async fn only_the_queues_that_are_named(store: Store) {
    let [a, b, c] = [
        store.three_ended("a").await,
        store.three_ended("b").await,
        store.three_ended("c").await,
    ];
    store.advance(DAY).await;
    let rule = PruneRule {
        queues: vec!["b".to_owned(), "nobody's".to_owned()],
        ..older_than(Duration::ZERO)
    };
    assert_eq!(store.prune(&rule).await, 3);
    assert_eq!(store.which_are_there(&b).await, [false; 3]);
    assert_eq!(store.which_are_there(&a).await, [true; 3]);
    assert_eq!(store.prune(&rule).await, 0);
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 6);
    assert_eq!(store.which_are_there(&c).await, [false; 3]);
}

/// Count only, delete nothing.
pub async fn a_dry_run_counts_and_deletes_nothing(store: Store) {
    let tasks = store.three_ended("q").await;
    store.enqueue(new_task()).await;
    store.advance(DAY).await;
    let rule = PruneRule {
        dry_run: true,
        ..older_than(Duration::ZERO)
    };
    for _ in 0..2 {
        assert_eq!(store.prune(&rule).await, 3);
        assert_eq!(store.which_are_there(&tasks).await, [true; 3]);
    }
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 3);
    assert_eq!(store.prune(&rule).await, 0);
}

/// `None` when there is no such task, or no longer.
pub async fn none_is_found_when_the_task_is_there_no_longer(store: Store) {
    let task = store.enqueue(new_task()).await;
    let backends = store.backends();
    let alias = backends.get("default").expect("the only one");
    let mut result = alias.result(task.id).await.expect("it is there");
    store
        .backend()
        .cancel(task.id, &CancelRequest::default())
        .await
        .expect("it is there");
    store.advance(DAY).await;
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 1);
    assert!(!store.has(task.id).await);
    let error = result.refresh().await.expect_err("it has been pruned");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = store
        .backend()
        .cancel(task.id, &CancelRequest::default())
        .await
        .expect_err("it has been pruned");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(store.list_all(&Filter::default(), 10).await, []);
    assert_eq!(store.admin().counts().await.expect("counted"), []);
}

/// A task that an operator let run again is waiting, and never deleted.
pub async fn a_task_that_was_retried_meanwhile_stays(store: Store) {
    let [_, failed, canceled] = store.three_ended("q").await;
    store.advance(DAY).await;
    store.admin().retry(failed).await.expect("it may run again");
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 2);
    assert!(!store.has(canceled).await);
    assert_eq!(store.find(failed).await.status, TaskStatus::Ready);
    assert_eq!(store.worker("v").await.claim_one().await.record.id, failed);
}

/// Deletes finished tasks and says how many: thousands of them, in between those that stay.
pub async fn thousands_are_deleted_and_the_rest_stays(store: Store) {
    let worker = store.steady_worker("w").await;
    let mut stay = Vec::new();
    for _ in 0..3 {
        store.enqueue_all(many(900)).await;
        let unknown = NewTask {
            name: "unknown::task".into(),
            ..new_task()
        };
        stay.push(store.enqueue(unknown).await.id);
        let claimed = worker.claim(900).await;
        let ends = claimed.into_iter().map(|task| succeeded(task, "1"));
        worker.finish(ends.collect()).await;
    }
    store.advance(DAY).await;
    // Too young, and enqueued before nothing: must stay as well.
    let [young, ..] = store.three_ended("young").await;
    stay.push(young);
    assert_eq!(store.prune(&older_than(DAY / 2)).await, 2_700);
    assert_eq!(store.which_are_there(&stay).await, [true; 4]);
    assert_eq!(store.list_all(&Filter::default(), 1_000).await.len(), 6);
}

/// Of what was deleted nothing is left: not even its id is taken.
pub async fn an_id_that_was_pruned_is_free_again(store: Store) {
    let task = new_task();
    store.enqueue(task.clone()).await;
    let worker = store.worker("w").await;
    worker.finish(vec![failed(worker.claim_one().await, "no")]).await;
    store.advance(DAY).await;
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 1);
    let again = store.enqueue(task).await;
    assert_eq!(store.find(again.id).await, again, "without any history");
    assert_eq!(again.status, TaskStatus::Ready);
}

/// Refreshing a result that was pruned is not found, and the snapshot stays as it was.
pub async fn refreshing_what_was_pruned_is_not_found_and_changes_nothing(store: Store) {
    let [id, ..] = store.three_ended("q").await;
    let backends = store.backends();
    let alias = backends.get("default").expect("the only one");
    let mut result = alias.result(id).await.expect("it is there");
    let before = result.clone();
    store.advance(DAY).await;
    assert_eq!(store.prune(&older_than(Duration::ZERO)).await, 3);
    let error = result.refresh().await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&id.to_string()), "{error}");
    assert_eq!(result, before);
    assert_eq!(result.return_value().expect("what was seen stays"), 1);
}
