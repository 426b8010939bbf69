//! What a refused call leaves behind, seen from inside the store.

use task_core::{BackendAlias, Backends, ENQUEUE_CHUNK, Limits, NewTask, enqueue_many_on, priority};

use crate::Store;
use crate::scene::{many, new_task};
use crate::tasks::echo;

impl Store {
    /// How many tasks there are in all.
    async fn size(&self) -> u64 {
        let counts = self.admin().counts().await.expect("tasks can be counted");
        counts.iter().map(|count| count.tasks).sum()
    }
}

/// Over the limit: nothing was written.
pub async fn by_arguments_over_the_limit(store: Store) {
    let limits = Limits {
        arguments_bytes: 50,
        ..Limits::DEFAULT
    };
    let alias = BackendAlias::new("default", store.backend().clone(), [], limits);
    let backends = Backends::new([alias]);
    let call = echo::new("x".repeat(51));
    call.enqueue_on(&backends).await.expect_err("too large");
    assert_eq!(store.size().await, 0);
}

/// A bad call refuses all: not even the chunks before it were written.
pub async fn by_many_calls_of_which_one_is_bad(store: Store) {
    let mut calls: Vec<_> = (0..2 * ENQUEUE_CHUNK).map(|_| echo::new("x")).collect();
    calls.push(echo::new("x").using(priority(101)));
    let outcome = enqueue_many_on(calls, &store.backends()).await;
    outcome.expect_err("the last one is bad");
    assert_eq!(store.size().await, 0);
}

/// A task whose id is stored already is an error, and nothing is stored.
pub async fn by_an_id_that_is_taken(store: Store) {
    let stored = store.enqueue(new_task()).await;
    let mut tasks = many(1_200);
    tasks.push(NewTask {
        id: stored.id,
        queue: "another".into(),
        ..new_task()
    });
    store.backend().enqueue(tasks).await.expect_err("its id is taken");
    assert_eq!(store.size().await, 1);
}

/// A call that is refused for its options was never written.
pub async fn by_a_call_that_is_refused(store: Store) {
    let call = echo::new("x").using(priority(-101));
    call.enqueue_on(&store.backends())
        .await
        .expect_err("out of range");
    assert_eq!(store.size().await, 0);
}
