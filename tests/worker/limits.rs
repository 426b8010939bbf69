//! How many tasks of a queue or a name run at a time, in which order queues are taken, and what a
//! pause does to a worker at work.

use std::time::{Duration, Instant};

use task_core::{Pausable, Task, TaskAdmin, TaskId, TaskStatus, queue};
use task_worker::{ConcurrencyLimits, QueueOrder, WorkerOptions};

use crate::stage::{A_HEARTBEAT, Stage, everything, options};
use crate::system::{PATIENCE, eventually};
use crate::tasks::{burn, hold, hold_thread, note, oversleep_on_a_thread};

fn limited(slots: usize, queues: &[(&str, usize)], tasks: &[(&str, usize)]) -> WorkerOptions {
    let owned = |limits: &[(&str, usize)]| limits.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    WorkerOptions {
        limits: ConcurrencyLimits {
            queues: owned(queues),
            tasks: owned(tasks),
        },
        ..options("worker", slots)
    }
}

fn admin(stage: &Stage) -> &dyn TaskAdmin {
    let alias = stage.backends.get("default").expect("the only one");
    alias.backend().admin().expect("it has an operator's face")
}

async fn all_end(stage: &Stage, ids: &[TaskId]) {
    for id in ids {
        stage.ends_as(*id, TaskStatus::Successful).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_its_limit_of_a_queue_run_and_others_go_on() {
    let stage = Stage::new().await;
    let held = (0..10).map(|number| hold::new(stage.on(), number.to_string()).using(queue("mail")));
    let held = stage.enqueue(held).await;
    let _worker = stage.hire_with(limited(20, &[("mail", 3)], &[]), everything());
    stage.runs(3).await;
    let others = (0..100).map(|_| note::new(stage.on(), "passed"));
    let others = stage.enqueue(others).await;
    all_end(&stage, &others).await;
    assert_eq!((stage.board.running(), stage.board.most()), (3, 3));
    stage.board.open();
    all_end(&stage, &held).await;
    assert_eq!(stage.board.most(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_its_limit_of_a_task_run_in_whatever_queues() {
    let stage = Stage::new().await;
    let queues = ["a", "b", "c", "d", "e", "f"];
    let held = stage
        .enqueue(queues.map(|name| hold::new(stage.on(), name).using(queue(name))))
        .await;
    let options = limited(20, &[("a", 1)], &[(<hold as Task>::ENTRY.name(), 2)]);
    let _worker = stage.hire_with(options, everything());
    stage.runs(2).await;
    let other = stage.enqueue_one(note::new(stage.on(), "passed")).await;
    stage.ends_as(other, TaskStatus::Successful).await;
    stage.board.open();
    all_end(&stage, &held).await;
    assert_eq!(stage.board.most(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_outlives_its_attempt_counts_until_it_returns() {
    let stage = Stage::new().await;
    let late = oversleep_on_a_thread::new(stage.on()).using(queue("slow"));
    let late = stage.enqueue_one(late).await;
    let _worker = stage.hire_with(limited(20, &[("slow", 1)], &[]), everything());
    stage.ends_as(late, TaskStatus::Failed).await;
    let next = stage
        .enqueue_one(note::new(stage.on(), "next").using(queue("slow")))
        .await;
    let other = stage.enqueue_one(note::new(stage.on(), "other")).await;
    stage.ends_as(other, TaskStatus::Successful).await;
    assert_eq!(stage.board.running(), 1, "its thread goes on");
    assert_eq!(stage.find(next).await.status, TaskStatus::Ready);
    stage.board.open();
    stage.ends_as(next, TaskStatus::Successful).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_ends_when_limited_queues_have_nothing_left_either() {
    let stage = Stage::new().await;
    let calls = (0..50).map(|_| note::new(stage.on(), "x").using(queue("mail")));
    stage.enqueue(calls).await;
    stage.enqueue((0..50).map(|_| note::new(stage.on(), "y"))).await;
    let options = WorkerOptions {
        batch: true,
        ..limited(4, &[("mail", 1)], &[])
    };
    let mut worker = stage.hire_with(options, everything());
    assert_eq!(worker.ended().await.expect("it ends well").succeeded, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_order_is_stronger_than_priority() {
    let stage = Stage::new().await;
    for (name, important) in [("c", 90), ("b", 50), ("a", -50)] {
        let calls = (0..5).map(|_| note::new(stage.on(), name).using(queue(name).priority(important)));
        stage.enqueue(calls).await;
    }
    let options = WorkerOptions {
        queue_order: QueueOrder::Strict(vec!["a".to_owned(), "b".to_owned()]),
        batch: true,
        ..options("worker", 1)
    };
    let mut worker = stage.hire_with(options, everything());
    worker.ended().await.expect("it ends well");
    assert_eq!(stage.board.notes(), [["a"; 5], ["b"; 5], ["c"; 5]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn weighted_queues_share_what_is_started() {
    let stage = Stage::new().await;
    for name in ["b", "a"] {
        let calls = (0..400).map(|_| note::new(stage.on(), name).using(queue(name).priority(7)));
        stage.enqueue(calls).await;
    }
    let options = WorkerOptions {
        queue_order: QueueOrder::Weighted(vec![("a".to_owned(), 3), ("b".to_owned(), 1)]),
        prefetch: 0,
        batch: true,
        ..options("worker", 8)
    };
    let mut worker = stage.hire_with(options, everything());
    worker.ended().await.expect("it ends well");
    let notes = stage.board.notes();
    assert_eq!(notes.len(), 800);
    let of_b = notes[..400].iter().filter(|name| *name == "b").count();
    assert!(
        (80..=120).contains(&of_b),
        "{of_b} of the first 400 instead of 100"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_queue_is_given_back_by_two_workers_within_a_heartbeat_and_goes_on_at_resume() {
    let stage = Stage::new().await;
    // The one that runs keeps the slot, so what was fetched beside it waits in memory.
    let workers = ["one", "two"].map(|id| {
        let options = WorkerOptions {
            lease: Duration::from_secs(3),
            ..options(id, 2)
        };
        stage.hire_with(options, everything())
    });
    let held = stage.enqueue((0..4).map(|_| hold::new(stage.on(), "held"))).await;
    stage.runs(4).await;
    let mail = Pausable::Queue("mail".to_owned());
    let by_name = Pausable::Task(<note as Task>::ENTRY.name().to_owned());
    admin(&stage).set_paused(&mail, true).await.expect("paused");
    admin(&stage).set_paused(&by_name, true).await.expect("paused");
    tokio::time::sleep(A_HEARTBEAT).await;
    let in_mail = hold_thread::new(stage.on(), "mail").using(queue("mail"));
    let in_mail = stage.enqueue_one(in_mail).await;
    let named = stage.enqueue_one(note::new(stage.on(), "named")).await;
    stage.board.open();
    all_end(&stage, &held).await;
    // Both have room now, and take what is not paused.
    let other = stage.enqueue_one(hold::new(stage.on(), "other")).await;
    stage.ends_as(other, TaskStatus::Successful).await;
    for id in [in_mail, named] {
        let record = stage.find(id).await;
        assert_eq!(
            (record.status, record.attempts),
            (TaskStatus::Ready, 0),
            "{record:?}"
        );
    }
    let began = Instant::now();
    admin(&stage).set_paused(&mail, false).await.expect("resumed");
    admin(&stage).set_paused(&by_name, false).await.expect("resumed");
    all_end(&stage, &[in_mail, named]).await;
    assert!(
        began.elapsed() < A_HEARTBEAT + Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_paused_queue_is_held_and_all_of_it_runs_when_it_goes_on() {
    let stage = Stage::new().await;
    let quick = (0..3000).map(|_| note::new(stage.on(), "quick").using(queue("mail")));
    let worker = stage.hire("worker", 1);
    stage.enqueue(quick).await;
    let mail = Pausable::Queue("mail".to_owned());
    admin(&stage).set_paused(&mail, true).await.expect("paused");
    let counts = async || {
        let counts = admin(&stage).counts().await.expect("counted");
        let of = |status| {
            counts
                .iter()
                .filter(|count| count.status == status)
                .map(|count| count.tasks)
                .sum::<u64>()
        };
        (
            of(TaskStatus::Ready),
            of(TaskStatus::Running),
            of(TaskStatus::Successful),
        )
    };
    eventually("nothing of it held", async || match counts().await {
        (_, 0, _) => Ok(()),
        counts => Err(format!("{counts:?}")),
    })
    .await;
    // A worker that begins now has to know it from the store.
    worker.stop().await;
    let before = counts().await;
    let options = WorkerOptions {
        batch: true,
        ..options("another", 10)
    };
    let mut another = stage.hire_with(options, everything());
    assert_eq!(another.ended().await.expect("it ends well").started, 0);
    assert_eq!(counts().await, before);
    admin(&stage).set_paused(&mail, false).await.expect("resumed");
    let _third = stage.hire("third", 10);
    eventually("the end of all", async || match counts().await {
        (0, 0, 3000) => Ok(()),
        counts => Err(format!("{counts:?}")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_threads_do_not_keep_async_tasks_from_running() {
    let stage = Stage::new().await;
    let _worker = stage.hire("worker", 10);
    let busy = stage.enqueue((0..2).map(|_| burn::new(stage.on()))).await;
    stage.runs(2).await;
    let began = Instant::now();
    let quick = stage
        .enqueue((0..200).map(|_| note::new(stage.on(), "quick")))
        .await;
    all_end(&stage, &quick).await;
    let took = began.elapsed();
    assert_eq!(stage.board.running(), 2, "both threads are busy still");
    assert!(took < PATIENCE / 4, "{took:?}");
    stage.board.open();
    all_end(&stage, &busy).await;
}
