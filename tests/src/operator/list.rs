//! Listing tasks.

use std::collections::BTreeSet;
use std::time::Duration;

use task_core::{CancelRequest, ErrorKind, Filter, NewTask, Page, PruneRule, TaskId, TaskRecord, TaskStatus};

use crate::Store;
use crate::played_worker::{failed, failed_for_now, obeyed, succeeded};
use crate::scene::{NAMES, due_in, ids, in_queue, many, named, new_task, with_policy};

impl Store {
    /// All pages of this size; all but the last are full, and no task stands on two.
    pub(crate) async fn list_all(&self, filter: &Filter, size: usize) -> Vec<TaskRecord> {
        let mut all: Vec<TaskRecord> = Vec::new();
        let mut page = Page { size, after: None };
        loop {
            let answer = self.admin().list(filter, &page).await.expect("a page");
            all.extend(answer.tasks.iter().cloned());
            let Some(next) = answer.next else {
                assert!(answer.tasks.len() <= size);
                break;
            };
            assert_eq!(answer.tasks.len(), size, "a page before the last is full");
            page.after = Some(next);
        }
        let different: BTreeSet<TaskId> = all.iter().map(|record| record.id).collect();
        assert_eq!(different.len(), all.len(), "no task stands on two pages");
        all
    }

    /// Brings a task into each state it can be in, in each way it can come there, and returns
    /// them in the order in which they were enqueued. One of them is running, and no worker
    /// will ever end it.
    pub async fn one_of_each_state(&self, queue: &str) -> Vec<(TaskStatus, TaskId)> {
        let task = || NewTask {
            queue: queue.into(),
            ..with_policy(3, 3)
        };
        let worker = self.steady_worker(&format!("states of {queue}")).await;
        let worker = worker.only(&[queue]);
        let records = self.enqueue_all((0..6).map(|_| task()).collect()).await;
        let mut claimed = worker.claim(5).await;
        worker
            .finish(vec![
                succeeded(claimed.remove(0), "1"),
                failed(claimed.remove(0), "no"),
                obeyed(claimed.remove(0)),
                failed_for_now(claimed.remove(0), "not yet", Duration::from_secs(3600)),
            ])
            .await;
        let canceled = self.enqueue(task()).await.id;
        self.backend()
            .cancel(canceled, &CancelRequest::default())
            .await
            .expect("it is there");
        let scheduled = NewTask {
            queue: queue.into(),
            ..due_in(Duration::from_secs(7200))
        };
        let scheduled = self.enqueue(scheduled).await.id;
        let states = [
            TaskStatus::Successful,
            TaskStatus::Failed,
            TaskStatus::Canceled,
            TaskStatus::Ready,
            TaskStatus::Running,
            TaskStatus::Ready,
        ];
        let mut all: Vec<_> = states.into_iter().zip(ids(&records)).collect();
        all.push((TaskStatus::Canceled, canceled));
        all.push((TaskStatus::Ready, scheduled));
        all
    }
}

fn with_status(status: TaskStatus) -> Filter {
    Filter {
        statuses: vec![status],
        ..Filter::default()
    }
}

/// Every page but the last is full; no task stands on two pages, and none that was
/// there before the first page was read is left out, unless its state changed.
pub async fn every_page_but_the_last_is_full_and_no_task_stands_on_two(store: Store) {
    let mut expected = ids(&store.enqueue_all(many(60)).await);
    expected.reverse();
    for size in [1, 7, 30, 59, 60, 61, Page::MAX_SIZE] {
        let listed = store.list_all(&Filter::default(), size).await;
        assert_eq!(ids(&listed), expected, "in pages of {size}");
    }
}

/// A page that starts at a task deleted since goes on behind it.
pub async fn a_page_that_starts_at_a_task_deleted_since_goes_on_behind_it(store: Store) {
    let tasks = ids(&store.enqueue_all(many(9)).await);
    let first = Page { size: 3, after: None };
    let first = store
        .admin()
        .list(&Filter::default(), &first)
        .await
        .expect("a page");
    assert_eq!(ids(&first.tasks), [tasks[8], tasks[7], tasks[6]]);
    // The last one of the page and the first of the next are deleted.
    for id in [tasks[6], tasks[5]] {
        store
            .backend()
            .cancel(id, &CancelRequest::default())
            .await
            .expect("it is there");
    }
    store.advance(Duration::from_secs(60)).await;
    let rule = PruneRule {
        min_age: Duration::ZERO,
        failed_min_age: None,
        queues: Vec::new(),
        dry_run: false,
    };
    assert_eq!(store.admin().prune(&rule).await.expect("pruned"), 2);
    let second = Page {
        size: 3,
        after: first.next,
    };
    let second = store
        .admin()
        .list(&Filter::default(), &second)
        .await
        .expect("a page");
    assert_eq!(ids(&second.tasks), [tasks[4], tasks[3], tasks[2]]);
    let third = Page {
        size: 3,
        after: second.next,
    };
    let third = store
        .admin()
        .list(&Filter::default(), &third)
        .await
        .expect("a page");
    assert_eq!((ids(&third.tasks), third.next), (vec![tasks[1], tasks[0]], None));
}

/// A size out of range or a mark that is none is [`ErrorKind::InvalidTask`].
pub async fn a_size_out_of_range_or_a_mark_that_is_none_is_invalid(store: Store) {
    store.enqueue(new_task()).await;
    for (size, after) in [
        (0, None),
        (Page::MAX_SIZE + 1, None),
        (usize::MAX, None),
        (10, Some("no mark")),
        (10, Some("")),
        (10, Some("'; DROP TABLE task; --")),
    ] {
        let page = Page {
            size,
            after: after.map(ToOwned::to_owned),
        };
        let error = store.admin().list(&Filter::default(), &page).await;
        let error = error.expect_err("no such page");
        assert_eq!(error.kind(), ErrorKind::InvalidTask, "{page:?}");
    }
}

/// Lists tasks, the one enqueued last first: whatever their priority, due time and state.
pub async fn the_one_enqueued_last_comes_first(store: Store) {
    let mut expected = Vec::new();
    for number in 0_i32..12 {
        let task = match number % 4 {
            0 => due_in(Duration::from_secs(600)),
            1 => in_queue("other"),
            2 => NewTask {
                priority: number,
                ..new_task()
            },
            _ => named(NAMES[1]),
        };
        expected.insert(0, store.enqueue(task).await.id);
    }
    let worker = store.worker("w").await;
    let claimed = worker.claim(4).await;
    let ends = claimed.into_iter().map(|task| succeeded(task, "1"));
    worker.finish(ends.collect()).await;
    worker.claim(2).await;
    assert_eq!(ids(&store.list_all(&Filter::default(), 5).await), expected);
}

/// Each task of a list is the task as it is found by its id.
pub async fn each_listed_task_is_the_task_as_it_is_found(store: Store) {
    let tasks = store.one_of_each_state("q").await;
    let listed = store.list_all(&Filter::default(), 3).await;
    assert_eq!(listed.len(), tasks.len());
    for record in &listed {
        assert_eq!(*record, store.find(record.id).await);
    }
}

/// In one of these states.
pub async fn a_status_selects_its_tasks_and_no_others(store: Store) {
    let tasks = store.one_of_each_state("q").await;
    for status in TaskStatus::ALL {
        let mut expected: Vec<TaskId> = tasks
            .iter()
            .filter(|(state, _)| *state == status)
            .map(|(_, id)| *id)
            .collect();
        expected.reverse();
        let listed = store.list_all(&with_status(status), 2).await;
        assert_eq!(ids(&listed), expected, "{status}");
        assert!(listed.iter().all(|record| record.status == status));
    }
    let ended = Filter {
        statuses: vec![TaskStatus::Failed, TaskStatus::Successful, TaskStatus::Failed],
        ..Filter::default()
    };
    let listed = store.list_all(&ended, 1).await;
    assert_eq!(ids(&listed), [tasks[1].1, tasks[0].1], "twice the same is once");
}

/// In one of these queues, with one of these names, in one of these states: all at once.
pub async fn a_queue_and_a_name_select_together(store: Store) {
    let mut tasks = Vec::new();
    for queue in ["a", "b"] {
        for name in &NAMES[..2] {
            for _ in 0..2 {
                let task = NewTask {
                    queue: queue.into(),
                    ..named(name)
                };
                tasks.push(store.enqueue(task).await);
            }
        }
    }
    let worker = store.worker("w").await.only(&["a"]).knowing(&[NAMES[1]]);
    worker.claim(1).await;
    for (queues, names, statuses) in [
        (&["a"][..], &[][..], &[][..]),
        (&[], &[NAMES[1]], &[]),
        (&["b"], &[NAMES[0]], &[]),
        (&["b", "a"], &[NAMES[0], "nobody's"], &[]),
        (&["a"], &[NAMES[1]], &[TaskStatus::Running]),
        (&["a"], &[NAMES[1]], &[TaskStatus::Ready]),
        (&["a"], &[], &[TaskStatus::Ready, TaskStatus::Running]),
        (&["nobody's"], &[], &[]),
        (&["a"], &[], &[TaskStatus::Failed]),
    ] {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let filter = Filter {
            statuses: statuses.to_vec(),
            queues: owned(queues),
            names: owned(names),
        };
        let mut expected = Vec::new();
        for id in ids(&tasks).into_iter().rev() {
            let task = store.find(id).await;
            let fits = (queues.is_empty() || queues.contains(&&*task.queue))
                && (names.is_empty() || names.contains(&&*task.name))
                && (statuses.is_empty() || statuses.contains(&task.status));
            expected.extend(fits.then_some(id));
        }
        let listed = store.list_all(&filter, 2).await;
        assert_eq!(ids(&listed), expected, "{filter:?}");
    }
}

/// Every page but the last is full, also when most tasks in between are not selected.
pub async fn a_filtered_list_has_full_pages_too(store: Store) {
    let mut expected = Vec::new();
    for number in 0..200 {
        let queue = if number % 20 == 0 { "rare" } else { "common" };
        let id = store.enqueue(in_queue(queue)).await.id;
        if queue == "rare" {
            expected.insert(0, id);
        }
    }
    let filter = Filter {
        queues: vec!["rare".to_owned()],
        ..Filter::default()
    };
    for size in [1, 3, 5, 10] {
        assert_eq!(ids(&store.list_all(&filter, size).await), expected);
    }
}

/// An empty store has one page, and it is empty.
pub async fn an_empty_store_has_one_empty_page(store: Store) {
    let page = store.admin().list(&Filter::default(), &Page::default()).await;
    let page = page.expect("a page");
    assert_eq!((page.tasks.len(), page.next), (0, None));
    for status in TaskStatus::ALL {
        assert_eq!(store.list_all(&with_status(status), 10).await, []);
    }
}

/// What is enqueued while somebody turns the pages does not shift them.
pub async fn what_is_enqueued_meanwhile_does_not_shift_the_pages(store: Store) {
    let mut expected = ids(&store.enqueue_all(many(10)).await);
    expected.reverse();
    let mut seen = Vec::new();
    let mut page = Page { size: 3, after: None };
    loop {
        let answer = store
            .admin()
            .list(&Filter::default(), &page)
            .await
            .expect("a page");
        seen.extend(ids(&answer.tasks));
        store.enqueue_all(many(4)).await;
        let Some(next) = answer.next else { break };
        page.after = Some(next);
    }
    assert_eq!(seen, expected);
}
