//! Handing tasks to the backend itself.

use std::collections::BTreeSet;

use task_core::signals::TASK_ENQUEUED;
use task_core::{NewTask, RetryPolicy, TaskRecord, TaskStatus};

use crate::scene::{in_queue, many, new_task, own_queue, saying};
use crate::{Heard, Store};

/// The records come back in the order of the tasks, with the tasks' ids.
pub async fn the_records_come_back_in_the_order_of_the_tasks_with_the_tasks_ids(store: Store) {
    let mut tasks = many(20);
    // The order in which ids were made must not matter.
    tasks.reverse();
    let expected: Vec<_> = tasks.iter().map(|task| task.id).collect();
    let records = store.enqueue_all(tasks).await;
    let answered: Vec<_> = records.iter().map(|record| record.id).collect();
    assert_eq!(answered, expected);
}

/// A stored task is `READY` with no attempts, or already finished where the
/// backend runs it at once.
pub async fn a_stored_task_is_ready_with_no_attempts_or_already_finished(store: Store) {
    let record = store.enqueue(saying("hello")).await;
    if record.status == TaskStatus::Ready {
        assert_waits_untouched(&record);
        return;
    }
    assert_eq!(record.status, TaskStatus::Successful);
    assert_eq!(record.return_value.as_deref(), Some("\"hello\""));
    assert_eq!((record.attempts, record.worker_ids.len()), (1, 1));
    assert_eq!(record.errors, []);
    assert_eq!(record.last_attempted_at, record.started_at);
    let started = record.started_at.expect("it ran, so it started");
    let finished = record.finished_at.expect("it has ended");
    assert!(record.enqueued_at <= started && started <= finished, "{record:?}");
}

/// Nothing has happened to the task but that it was enqueued.
fn assert_waits_untouched(record: &TaskRecord) {
    assert_eq!(record.attempts, 0);
    assert_eq!(record.worker_ids, [] as [String; 0]);
    assert_eq!(record.errors, []);
    assert_eq!(record.return_value, None);
    let moments = [record.started_at, record.last_attempted_at, record.finished_at];
    assert_eq!(moments, [None; 3]);
}

/// `task_enqueued` is sent once for each task, with its record.
pub async fn task_enqueued_is_sent_once_for_each_task(store: Store) {
    let queue = own_queue();
    let heard = Heard::in_queue(&TASK_ENQUEUED, &queue);
    let first = store
        .enqueue_all((0..3).map(|_| in_queue(&queue)).collect())
        .await;
    let second = store.enqueue_all(vec![in_queue(&queue)]).await;
    let sent: Vec<_> = heard.records().iter().map(|record| record.id).collect();
    let expected: Vec<_> = first.iter().chain(&second).map(|record| record.id).collect();
    assert_eq!(sent, expected);
    for record in heard.records() {
        assert_eq!(record.status, TaskStatus::Ready, "sent before it can have run");
        assert_waits_untouched(&record);
    }
}

/// What was enqueued stands in the record: id, name, queue, priority, arguments, policy.
pub async fn the_record_has_what_the_task_had(store: Store) {
    let task = NewTask {
        queue: "reports and more".into(),
        arguments: r#"{ "text" : "with  blanks" }"#.into(),
        policy: RetryPolicy {
            max_attempts: 5,
            max_lost: 0,
            timeout_ms: Some(90_000),
            ..RetryPolicy::DEFAULT
        },
        ..new_task()
    };
    let record = store.enqueue(task.clone()).await;
    assert_eq!(record.id, task.id);
    assert_eq!(record.name, task.name);
    assert_eq!(record.queue, task.queue);
    assert_eq!(record.priority, task.priority);
    assert_eq!(
        record.arguments, task.arguments,
        "to the byte, and not only in meaning"
    );
    assert_eq!(record.policy, task.policy);
    assert_eq!(record.run_after, None);
}

/// A call without tasks is no error.
pub async fn a_call_with_no_tasks_is_answered_with_none(store: Store) {
    let records = store.enqueue_all(Vec::new()).await;
    assert_eq!(records, []);
}

/// Sixteen callers enqueue fifty times each, all at once: everybody is answered for their own
/// tasks and no others.
pub async fn many_callers_at_a_time_each_get_their_own_tasks_back(store: Store) {
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let backend = store.backend().clone();
        callers.spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..50 {
                let task = new_task();
                let asked = task.id;
                let records = backend.enqueue(vec![task]).await.expect("accepted");
                assert_eq!(
                    records.iter().map(|record| record.id).collect::<Vec<_>>(),
                    [asked]
                );
                mine.push(asked);
            }
            mine
        });
    }
    let all: BTreeSet<_> = callers.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), 16 * 50);
}

/// Text with characters that databases and terminals are touchy about. U+0000 is none of them: it
/// is refused before a backend sees it.
pub(crate) const ODD_TEXTS: [&str; 9] = [
    "",
    "a picture of U+0000 \u{2400} and its escape \\u0000",
    "control \u{1} \u{7f} \u{85} \u{2028} and \t \r\n",
    "a family \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} and e\u{301}",
    "right to left: \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}evil\u{202c}",
    "'; DROP TABLE task; -- \" ` \\ $1 ?1 :name @x #{x} %s",
    "{\"not\": [\"an object\"]}",
    "\u{feff}a byte order mark and \u{10ffff}",
    "NULL",
];

/// Text of any kind comes back as it was given: in arguments, queues and return values.
pub async fn text_of_any_kind_stays_as_it_is(store: Store) {
    for text in ODD_TEXTS {
        let task = saying(text);
        let arguments = task.arguments.clone();
        let record = store.enqueue(task).await;
        assert_eq!(record.arguments, arguments, "{text:?}");
        if record.status == TaskStatus::Successful {
            let value = record.return_value.expect("a successful task has a value");
            let value: String = serde_json::from_str(&value).expect("the value of `echo` is a text");
            assert_eq!(value, text);
        }
    }
    let queue = "\u{fc}".repeat(50);
    assert_eq!(queue.len(), 100);
    assert_eq!(*store.enqueue(in_queue(&queue)).await.queue, *queue);
}
