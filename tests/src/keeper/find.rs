//! Looking a task up.

use std::time::Duration;

use task_core::{Backoff, NewTask, RetryPolicy, RunAfter, TaskId, Timestamp};

use crate::Store;
use crate::producer::enqueue::ODD_TEXTS;
use crate::scene::{in_queue, new_task, saying};

/// `None` when there is no such task, or no longer.
pub async fn none_when_there_is_no_such_task(store: Store) {
    let stored = store.enqueue(new_task()).await;
    assert!(store.has(stored.id).await);
    assert!(!store.has(TaskId::new()).await);
    let zeros = TaskId::from_bytes(&[0; 16]).expect("sixteen bytes");
    assert!(!store.has(zeros).await);
}

/// What is found is what `enqueue` answered, in every field.
pub async fn a_task_is_found_as_enqueue_answered(store: Store) {
    let record = store.enqueue(new_task()).await;
    assert_eq!(store.find(record.id).await, record);
}

/// Every option of a task is found as it was given.
pub async fn every_option_is_found_as_it_was_given(store: Store) {
    for priority in [-100, -1, 0, 1, 100] {
        for (max_attempts, max_lost, timeout_ms) in [
            (1, 3, None),
            (3, 0, Some(1)),
            (u32::MAX, u32::MAX, Some(u64::MAX)),
        ] {
            let task = NewTask {
                priority,
                policy: RetryPolicy {
                    max_attempts,
                    max_lost,
                    timeout_ms,
                    backoff: Backoff::linear(Duration::from_millis(1), Duration::from_millis(77)),
                },
                ..in_queue("options")
            };
            let record = store.enqueue(task.clone()).await;
            let found = store.find(record.id).await;
            assert_eq!((found.priority, found.policy), (task.priority, task.policy));
            assert_eq!(found, record);
        }
    }
}

/// Metadata is found as it was given, and nothing where none was.
pub async fn metadata_is_found_as_it_was_given(store: Store) {
    let metadata = r#"{"tenant":"acme","cost":-2.5,"tags":["a","\u00e9 '\""],"deep":{"x":null}}"#;
    let task = NewTask {
        metadata: Some(metadata.into()),
        ..new_task()
    };
    let record = store.enqueue(task).await;
    let found = store.find(record.id).await;
    let given: serde_json::Map<_, _> = serde_json::from_str(metadata).expect("an object");
    assert_eq!(found.metadata(), given);
    assert_eq!(found, record);
    let without = store.enqueue(new_task()).await;
    assert_eq!(store.find(without.id).await.metadata, None);
}

/// Text of any kind is found as it was given.
pub async fn text_of_any_kind_is_found_as_it_was_given(store: Store) {
    for text in ODD_TEXTS {
        let record = store.enqueue(saying(text)).await;
        let found = store.find(record.id).await;
        let arguments: serde_json::Value = serde_json::from_str(&found.arguments).expect("JSON");
        assert_eq!(arguments["text"], text);
        assert_eq!(found, record);
    }
    for queue in ["\u{fc}".repeat(50), "a 'quoted' \"queue\" \\ %".to_owned()] {
        let record = store.enqueue(in_queue(&queue)).await;
        assert_eq!(*store.find(record.id).await.queue, *queue);
    }
}

/// Arguments of 900 kilobytes are found whole.
pub async fn arguments_of_900_kilobytes_are_found_whole(store: Store) {
    let record = store.enqueue(saying(&"\u{e9}\"".repeat(225_000))).await;
    let found = store.find(record.id).await;
    assert!(found.arguments.len() > 900_000);
    assert!(found.arguments == record.arguments, "not the same text");
}

/// A due time is found as `enqueue` answered it, whatever its precision.
pub async fn a_due_time_is_found_as_it_was_answered(store: Store) {
    if !store.backend().capabilities().defer {
        return store.assert_due_times_are_refused().await;
    }
    let year = Duration::from_secs(365 * 86_400);
    let now = store.enqueue(new_task()).await.enqueued_at;
    let odd = now + year + Duration::from_nanos(123_456_789);
    for run_after in [
        RunAfter::At(now + year),
        RunAfter::At(odd),
        RunAfter::At(Timestamp::MAX),
        RunAfter::In(Duration::from_millis(1_500)),
        RunAfter::In(Duration::from_nanos(1_999)),
        RunAfter::In(Duration::MAX),
        RunAfter::At(Timestamp::MIN),
    ] {
        let task = NewTask {
            run_after: Some(run_after),
            ..new_task()
        };
        let record = store.enqueue(task).await;
        assert_eq!(store.find(record.id).await, record, "{run_after:?}");
    }
}
