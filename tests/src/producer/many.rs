//! Many calls at once.

use task_backends::DummyBackend;
use task_core::signals::TASK_ENQUEUED;
use task_core::{ENQUEUE_CHUNK, ErrorKind, backend, enqueue_many_on, queue};

use super::calls::with_reports;
use crate::scene::own_queue;
use crate::tasks::echo;
use crate::{Heard, Store};

/// Stores many calls of one task, and returns their results in the same order.
pub async fn many_calls_are_answered_in_order_over_several_chunks(store: Store) {
    let count = 2 * ENQUEUE_CHUNK + 500;
    let own = own_queue();
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let calls = (0..count)
        .map(|number| echo::new(number.to_string()).using(queue(own.clone())))
        .collect();
    let results = enqueue_many_on(calls, &store.backends()).await.expect("accepted");
    assert_eq!(results.len(), count);
    for (number, result) in results.iter().enumerate() {
        assert_eq!(
            result.arguments().expect("JSON")["text"],
            number.to_string().as_str()
        );
    }
    let ids: Vec<_> = results.iter().map(|result| result.id()).collect();
    let mut sent: Vec<_> = heard.records().iter().map(|record| record.id).collect();
    assert_eq!(sent.len(), count);
    // Chunks are stored one after the other, so the order of all is that of the calls.
    assert!(ids == sent, "every task was told of once, in order");
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent.len(), count, "no id twice");
}

/// Every call is checked before the first is written, so a bad one refuses all.
pub async fn one_bad_call_refuses_all_before_anything_is_stored(store: Store) {
    let own = own_queue();
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let call = |number: usize| {
        let call = echo::new("x").using(queue(own.clone()));
        if number == ENQUEUE_CHUNK + 2 {
            call.using(queue("not,one"))
        } else {
            call
        }
    };
    let calls = (0..ENQUEUE_CHUNK + 5).map(call).collect();
    let error = enqueue_many_on(calls, &store.backends())
        .await
        .expect_err("one is bad");
    assert_eq!(error.kind(), ErrorKind::InvalidTask);
    assert!(error.to_string().contains("call 1002 of 1005"), "{error}");
    assert_eq!(heard.records(), [], "not even the first chunk");
}

/// Each of many calls goes to the backend of its alias; the answers are in order all the same.
pub async fn many_calls_go_to_the_backend_of_each_alias(store: Store) {
    let reports = DummyBackend::new();
    let backends = with_reports(&store, &reports);
    let aliases = ["default", "reports", "reports", "default", "default", "reports"];
    let calls = aliases
        .iter()
        .map(|alias| echo::new(*alias).using(backend(*alias)))
        .collect();
    let results = enqueue_many_on(calls, &backends).await.expect("accepted");
    let answered: Vec<_> = results.iter().map(|result| result.backend()).collect();
    assert_eq!(answered, aliases);
    let there: Vec<_> = reports.records().iter().map(|record| record.id).collect();
    let expected: Vec<_> = results
        .iter()
        .filter(|result| result.backend() == "reports")
        .map(|result| result.id())
        .collect();
    assert_eq!(there, expected);
}

/// No calls are no error.
pub async fn no_calls_at_all_are_answered_with_nothing(store: Store) {
    let results = enqueue_many_on::<echo>(Vec::new(), &store.backends()).await;
    assert_eq!(results.expect("nothing to do"), []);
}

/// Each of many calls keeps its own options.
pub async fn each_of_many_calls_keeps_its_own_options(store: Store) {
    let calls = ["a", "b", "a", "c"].map(|name| echo::new(name).using(queue(name)));
    let results = enqueue_many_on(calls.into(), &store.backends())
        .await
        .expect("accepted");
    let queues: Vec<_> = results.iter().map(|result| &*result.queue).collect();
    assert_eq!(queues, ["a", "b", "a", "c"]);
}
