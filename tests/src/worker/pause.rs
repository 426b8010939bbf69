//! Queues and tasks that are paused.

use std::time::Duration;

use task_core::{Pausable, Paused, Renewal};

use crate::Store;
use crate::scene::{LEASE, new_task};

impl Store {
    async fn set_paused(&self, what: &Pausable, is_paused: bool) {
        let set = self.admin().set_paused(what, is_paused).await;
        set.expect("it can be paused");
    }

    async fn paused(&self) -> Paused {
        self.admin().paused().await.expect("it can be looked up")
    }
}

fn queue(name: &str) -> Pausable {
    Pausable::Queue(name.to_owned())
}

fn task(name: &str) -> Pausable {
    Pausable::Task(name.to_owned())
}

/// Workers hear of it with the next renewal of their lease.
pub async fn workers_hear_of_it_with_the_next_renewal_of_their_lease(store: Store) {
    let worker = store.worker("w").await;
    let heard = async || match worker.queue().renew(worker.key, LEASE).await.expect("renewed") {
        Renewal::Renewed { paused, .. } => paused,
        Renewal::Lost => panic!("it lives"),
    };
    assert!(heard().await.is_empty());
    store.set_paused(&queue("mail"), true).await;
    store.set_paused(&task("app::send"), true).await;
    let paused = heard().await;
    assert!(paused.includes("mail", "x") && paused.includes("x", "app::send"));
    assert!(!paused.includes("x", "mail") && !paused.includes("app::send", "x"));
    assert_eq!(store.paused().await, paused);
    store.set_paused(&queue("mail"), false).await;
    store.set_paused(&task("app::send"), false).await;
    assert!(heard().await.is_empty());
    assert!(store.paused().await.is_empty());
}

/// It stays until it is undone, and doing it twice changes nothing. A queue or a task nobody knows may be
/// paused, too.
pub async fn doing_it_twice_changes_nothing(store: Store) {
    for what in [
        queue("never used"),
        task("nobody::knows"),
        queue("\u{fc}ber alles"),
    ] {
        store.set_paused(&what, false).await;
        assert!(store.paused().await.is_empty());
        for _ in 0..2 {
            store.set_paused(&what, true).await;
            let mut expected = Paused::default();
            expected.add(what.clone());
            assert_eq!(store.paused().await, expected);
        }
        for _ in 0..2 {
            store.set_paused(&what, false).await;
            assert!(store.paused().await.is_empty());
        }
    }
}

/// Tasks may be enqueued all the while.
pub async fn tasks_may_be_enqueued_while_their_queue_is_paused(store: Store) {
    let task = new_task();
    store
        .set_paused(&Pausable::Queue(task.queue.to_string()), true)
        .await;
    let record = store.enqueue(task).await;
    assert_eq!(store.find(record.id).await, record);
}

/// Whoever waits for a change is told.
pub async fn pausing_is_a_change(store: Store) {
    let changed = store.backend().changed(Duration::from_secs(20));
    let pausing = async {
        // Late is as good as early for who waits: so it is done until somebody hears of it.
        loop {
            store.set_paused(&queue("mail"), true).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let began = std::time::Instant::now();
    tokio::select! {
        () = changed => {}
        () = pausing => {}
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
