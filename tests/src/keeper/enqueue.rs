//! What is stored when enqueueing returned, and what is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use task_core::signals::TASK_ENQUEUED;
use task_core::{NewTask, TaskId};

use crate::scene::{ids, in_queue, many, new_task, own_queue, saying};
use crate::{Heard, Store};

/// When it returns `Ok`, every task is stored as durably as the backend promises.
pub async fn when_it_returns_every_task_is_stored(store: Store) {
    let records = store.enqueue_all(many(50)).await;
    for record in records {
        assert_eq!(store.find(record.id).await, record);
    }
}

/// All tasks of one call are stored, or none.
pub async fn all_tasks_of_one_call_are_stored_or_none(store: Store) {
    let stored = store.enqueue(new_task()).await;
    // The one that cannot be stored comes last, after more than any backend writes at once.
    let mut tasks = many(2_500);
    tasks.push(NewTask {
        id: stored.id,
        ..new_task()
    });
    let refused: Vec<TaskId> = tasks[..2_500].iter().map(|task| task.id).collect();
    store.backend().enqueue(tasks).await.expect_err("its id is taken");
    for id in [refused[0], refused[1_000], refused[2_499]] {
        assert!(!store.has(id).await, "stored although the call failed");
    }
}

/// `task_enqueued` is sent once for each task, after it was stored.
pub async fn task_enqueued_is_sent_after_the_task_was_stored(store: Store) {
    let own = own_queue();
    let backend = store.backend().clone();
    let runtime = tokio::runtime::Handle::current();
    let heard = Heard::of(&TASK_ENQUEUED, {
        let own = own.clone();
        move |record| {
            if *record.queue != *own {
                return false;
            }
            // A receiver is called on a thread that must not wait for the backend; another may.
            let (backend, runtime, id) = (backend.clone(), runtime.clone(), record.id);
            let looking = std::thread::spawn(move || runtime.block_on(backend.find(id)));
            let found = looking.join().expect("looking a task up does not panic");
            found.expect("the backend can look tasks up").is_some()
        }
    });
    let records = store.enqueue_all((0..3).map(|_| in_queue(&own)).collect()).await;
    assert_eq!(ids(&heard.records()), ids(&records));
}

/// A task whose id is stored already is an error, and nothing is stored.
pub async fn a_task_whose_id_is_stored_already_is_an_error_and_nothing_is_stored(store: Store) {
    let own = own_queue();
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let stored = store.enqueue(saying("first")).await;
    let twin = NewTask {
        id: stored.id,
        ..in_queue(&own)
    };
    let companion = in_queue(&own);
    let id = companion.id;
    store
        .backend()
        .enqueue(vec![companion, twin])
        .await
        .expect_err("its id is taken");
    assert!(!store.has(id).await);
    assert_eq!(store.find(stored.id).await, stored, "the first is untouched");
    assert_eq!(heard.records(), [], "and nobody was told");
}

/// A task whose id is stored already is an error, and nothing is stored: also when both
/// come in one call.
pub async fn an_id_twice_in_one_call_is_an_error_and_nothing_is_stored(store: Store) {
    let (one, other) = (new_task(), new_task());
    let twin = one.clone();
    let ids = [one.id, other.id];
    store
        .backend()
        .enqueue(vec![one, other, twin])
        .await
        .expect_err("one id twice");
    for id in ids {
        assert!(!store.has(id).await);
    }
}

/// A caller whose tasks are refused spoils nothing for those who enqueue at the same time.
pub async fn the_mistake_of_one_caller_is_not_anothers(store: Store) {
    let stored = store.enqueue(new_task()).await;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let backend = store.backend().clone();
        let mut task = new_task();
        let is_bad = number % 4 == 0;
        if is_bad {
            task.id = stored.id;
        }
        callers.spawn(async move {
            let id = task.id;
            let outcome = backend.enqueue(vec![task]).await;
            assert_eq!(outcome.is_err(), is_bad, "{outcome:?}");
            (!is_bad).then_some(id)
        });
    }
    for id in callers.join_all().await.into_iter().flatten() {
        assert!(store.has(id).await);
    }
}

/// Sixteen callers enqueue fifty times each, all at once: every task is stored, once.
pub async fn tasks_of_many_callers_at_a_time_are_all_stored_once(store: Store) {
    let own: Arc<str> = own_queue().into();
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..16 {
        let (backend, own) = (store.backend().clone(), own.clone());
        callers.spawn(async move {
            let mut mine = BTreeMap::new();
            for number in 0..50 {
                let text = format!("{caller}-{number}");
                let task = NewTask {
                    queue: own.clone(),
                    ..saying(&text)
                };
                mine.insert(task.id, task.arguments.clone());
                backend.enqueue(vec![task]).await.expect("accepted");
            }
            mine
        });
    }
    let all: BTreeMap<_, _> = callers.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), 16 * 50);
    assert_eq!(heard.records().len(), 16 * 50);
    for (id, arguments) in all {
        assert_eq!(store.find(id).await.arguments, arguments);
    }
}
