//! Schedules over several workers: one task for each tick, whoever lives, whatever was missed.
//!
//! The store's clock is moved by hand, and never so far that a living worker's lease runs out by it.
//! Workers hear of it with their next renewal.

mod system;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use system::{Site, said_by, spawn};
use task_backends::{SqliteBackend, SqliteOptions};
use task_core::{
    BackendAlias, Clock, Filter, Limits, Missed, NewTask, Page, Registry, RetryPolicy, Schedule, TaskBackend,
    TaskContext, TaskEntry, TaskId, TaskRecord, TaskStatus, Timestamp, task,
};
use task_worker::{Shutdown, Worker, WorkerOptions};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const SCHEDULED: &str = env!("CARGO_BIN_EXE_scheduled_worker");

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Long enough for everything that happens within a few renewals.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns its tick, or says that it has none.
#[task(every = "1s", takes_context)]
async fn report(context: TaskContext) -> Option<String> {
    context.tick().map(|tick| tick.to_string())
}

/// A store, its clock, and the schedule of `report`.
struct Stage {
    clock: Clock,
    options: SqliteOptions,
    schedule: Schedule,
    /// As one looks at it from outside.
    store: Arc<SqliteBackend>,
    _folder: TempDir,
}

/// A worker at work, with a connection of its own.
struct Hired {
    shutdown: Shutdown,
    running: JoinHandle<task_core::Result<task_worker::Summary>>,
}

impl Hired {
    async fn stop(self) {
        self.shutdown.stop();
        self.running.await.expect("no panic").expect("it worked");
    }
}

fn start() -> Timestamp {
    "2026-11-20T12:20:00.5Z".parse().expect("a time")
}

impl Stage {
    async fn new(schedule: Schedule) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(start());
        let options = SqliteOptions::new(folder.path().join("tasks.db")).clock(clock.clone());
        let store = SqliteBackend::open(options.clone()).await.expect("a new file");
        Self {
            clock,
            options,
            schedule,
            store: Arc::new(store),
            _folder: folder,
        }
    }

    async fn hire(&self, id: &str) -> Hired {
        self.hire_with(id, |options| options).await
    }

    async fn hire_with(&self, id: &str, change: impl FnOnce(WorkerOptions) -> WorkerOptions) -> Hired {
        let store = SqliteBackend::open(self.options.clone())
            .await
            .expect("the same file");
        let alias = BackendAlias::new("default", Arc::new(store), [], Limits::DEFAULT);
        let options = change(WorkerOptions {
            id: id.to_owned(),
            concurrency: 4,
            // Renewed every second: a tick further is far from its end.
            lease: 3 * SECOND,
            interval: Duration::from_millis(50),
            ..WorkerOptions::default()
        });
        let entry = report_entry().scheduled(self.schedule);
        let mut registry = Registry::new();
        registry.insert(entry).expect("one task");
        let worker = Worker::new(alias.into(), registry, options).expect("a worker like any other");
        let shutdown = Shutdown::new();
        Hired {
            running: tokio::spawn(worker.run(shutdown.clone())),
            shutdown,
        }
    }

    /// All tasks, the one enqueued last first.
    async fn tasks(&self) -> Vec<TaskRecord> {
        let admin = self.store.admin().expect("for operators");
        let page = Page {
            size: 1000,
            after: None,
        };
        admin.list(&Filter::default(), &page).await.expect("listed").tasks
    }

    /// The ticks whose tasks have returned them, in order.
    async fn returned(&self) -> Vec<String> {
        let mut ticks: Vec<String> = self.tasks().await.iter().filter_map(returned).collect();
        ticks.sort();
        ticks
    }

    async fn wait_for(&self, ticks: &[String]) {
        let began = tokio::time::Instant::now();
        while self.returned().await.len() < ticks.len() {
            assert!(
                began.elapsed() < PATIENCE,
                "{:?} of {ticks:?}",
                self.returned().await
            );
            self.store.changed(Duration::from_millis(50)).await;
        }
        assert_eq!(self.returned().await, ticks);
    }

    async fn last_tick(&self) -> Timestamp {
        let queue = self.store.queue().expect("for workers");
        queue
            .last_ticks(&["schedules::report".into()])
            .await
            .expect("kept")[0]
    }

    /// Waits until the store knows that all is enqueued up to this tick.
    async fn ticked(&self, tick: &str) {
        let began = tokio::time::Instant::now();
        while self.last_tick().await.to_string() != tick {
            assert!(
                began.elapsed() < PATIENCE,
                "{} is not {tick}",
                self.last_tick().await
            );
            self.store.changed(Duration::from_millis(50)).await;
        }
    }
}

fn report_entry() -> TaskEntry {
    *<report as task_core::Task>::ENTRY
}

fn returned(record: &TaskRecord) -> Option<String> {
    assert_ne!(record.status, TaskStatus::Failed, "{record:?}");
    let value = record.return_value.as_deref()?;
    Some(value.trim_matches('"').to_owned())
}

/// A tick every second.
fn secondly() -> Schedule {
    Schedule::every("1s", SECOND)
}

/// The ticks of these seconds.
fn seconds(range: impl IntoIterator<Item = u32>) -> Vec<String> {
    let tick = |second| format!("2026-11-20T12:20:{second:02}Z");
    range.into_iter().map(tick).collect()
}

/// The ticks of these hours.
fn hours(range: impl IntoIterator<Item = u32>) -> Vec<String> {
    let tick = |hour| format!("2026-11-20T{hour}:00:00Z");
    range.into_iter().map(tick).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_enqueue_one_task_for_each_tick() {
    let stage = Stage::new(secondly()).await;
    let mut workers = Vec::new();
    for id in ["one", "two", "three"] {
        workers.push(stage.hire(id).await);
    }
    for second in 1..=40 {
        stage.clock.advance(SECOND);
        stage.wait_for(&seconds(1..=second)).await;
    }
    for worker in workers {
        worker.stop().await;
    }
    let tasks = stage.tasks().await;
    assert_eq!(tasks.len(), 40, "one for each tick");
    assert!(tasks.iter().all(|task| task.attempts == 1));
    assert_eq!(stage.returned().await, seconds(1..=40));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_go_on_when_a_worker_is_lost() {
    let stage = Stage::new(secondly()).await;
    let lost = stage.hire("lost").await;
    stage.ticked(&start().to_string()).await;
    stage.clock.advance(SECOND);
    stage.wait_for(&seconds([1])).await;
    let heir = stage.hire("heir").await;
    // Without a farewell.
    lost.running.abort();
    assert!(lost.running.await.expect_err("ended").is_cancelled());
    for second in 2..=5 {
        stage.clock.advance(SECOND);
        stage.wait_for(&seconds(1..=second)).await;
    }
    heir.stop().await;
}

/// What a worker enqueues that comes at 15:20 where the last one left at 12:20.
async fn comes_back(missed: Missed, late: Duration) -> Vec<String> {
    let stage = Stage::new(Schedule::every("1h", HOUR).missed(missed)).await;
    let worker = stage.hire("before").await;
    stage.ticked(&start().to_string()).await;
    worker.stop().await;
    stage.clock.advance(2 * HOUR + HOUR * 2 / 3 + late);
    let worker = stage.hire("after").await;
    stage.ticked("2026-11-20T15:00:00Z").await;
    let began = tokio::time::Instant::now();
    while stage.tasks().await.iter().any(|task| !task.status.is_finished()) {
        assert!(began.elapsed() < PATIENCE, "{:?}", stage.tasks().await);
        stage.store.changed(Duration::from_millis(50)).await;
    }
    worker.stop().await;
    stage.returned().await
}

#[tokio::test(flavor = "multi_thread")]
async fn once_makes_up_for_the_latest_missed_tick() {
    assert_eq!(comes_back(Missed::Once, 20 * 60 * SECOND).await, hours([15]));
}

#[tokio::test(flavor = "multi_thread")]
async fn skip_leaves_out_what_is_more_than_a_minute_late() {
    assert_eq!(comes_back(Missed::Skip, 62 * SECOND).await, hours([]));
    assert_eq!(comes_back(Missed::Skip, 30 * SECOND).await, hours([15]));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_makes_up_for_every_missed_tick() {
    assert_eq!(comes_back(Missed::All, 20 * 60 * SECOND).await, hours(13..=15));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_another_worker_enqueued_but_did_not_note_is_found_there() {
    let stage = Stage::new(secondly()).await;
    let alias = BackendAlias::new("default", stage.store.clone(), [], Limits::DEFAULT);
    assert_eq!(stage.last_tick().await, start());
    let tick = "2026-11-20T12:20:01Z".parse().expect("a time");
    let task = report_entry().at_tick(tick, &alias).expect("a task");
    stage.store.enqueue(vec![task]).await.expect("stored");
    stage.clock.advance(SECOND);
    let worker = stage.hire("second").await;
    stage.ticked("2026-11-20T12:20:01Z").await;
    stage.wait_for(&seconds([1])).await;
    worker.stop().await;
    assert_eq!(stage.tasks().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_other_queues_and_one_that_ends_when_nothing_is_due_enqueue_nothing() {
    let stage = Stage::new(secondly().missed(Missed::All)).await;
    assert_eq!(stage.last_tick().await, start());
    stage.clock.advance(5 * SECOND);
    let elsewhere = |mut options: WorkerOptions| {
        options.queues.except.insert("default".to_owned());
        options
    };
    let other = stage.hire_with("elsewhere", elsewhere).await;
    let batch = |options| WorkerOptions {
        batch: true,
        ..options
    };
    let ended = stage.hire_with("batch", batch).await.running.await;
    ended.expect("no panic").expect("nothing was due");
    assert!(stage.tasks().await.is_empty());
    assert_eq!(stage.last_tick().await, start());
    // One that is there for it finds all of them.
    let worker = stage.hire("worker").await;
    stage.wait_for(&seconds(1..=5)).await;
    worker.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_somebody_enqueued_has_no_tick() {
    let stage = Stage::new(secondly()).await;
    let id = TaskId::new();
    let task = NewTask {
        id,
        name: "schedules::report".into(),
        queue: "default".into(),
        priority: 0,
        run_after: None,
        arguments: "{}".into(),
        policy: RetryPolicy::DEFAULT,
        metadata: None,
        unique: None,
    };
    stage.store.enqueue(vec![task]).await.expect("stored");
    let worker = stage.hire("worker").await;
    stage.wait_for(&["null".to_owned()]).await;
    worker.stop().await;
}

async fn run(site: &Site, arguments: &[&str]) -> system::Said {
    let mut command = site.command(SCHEDULED);
    command.args(arguments);
    said_by(command, "").await
}

#[tokio::test]
async fn the_command_lists_schedules_with_their_last_and_next_tick() {
    let site = Site::new();
    run(&site, &["migrate"]).await.exits_with(0);
    let said = run(&site, &["schedules"]).await.exits_with(0).quietly();
    let words = said.words();
    assert_eq!(
        words[0],
        [
            "TASK", "SCHEDULE", "TIMEZONE", "MISSED", "LAST", "TICK", "NEXT", "TICK"
        ]
    );
    assert_eq!(
        words[1][..8],
        [
            "scheduled::leap_day",
            "30",
            "2",
            "29",
            "2",
            "*",
            "Europe/Berlin",
            "skip"
        ]
    );
    assert!(words[1][9].ends_with("-02-29T01:30:00Z"), "{said:#?}");
    assert_eq!(words[2][..4], ["scheduled::secondly", "1s", "-", "all"]);
    let list = run(&site, &["schedules", "--json"])
        .await
        .exits_with(0)
        .quietly()
        .json();
    let tick = |name: &str| -> Timestamp { list[1][name].as_str().expect("a tick").parse().expect("a time") };
    assert!(tick("last_tick") < tick("next_tick") && tick("next_tick") <= tick("last_tick") + SECOND);
    assert_eq!(list[0]["schedule"], "30 2 29 2 *");
    assert_eq!(list[0]["timezone"], "Europe/Berlin");
}

/// Three processes by the machine's clock; one of them is killed again and again, and comes back.
#[tokio::test]
async fn no_tick_is_lost_or_enqueued_twice_while_workers_are_killed() {
    let site = Site::new();
    run(&site, &["migrate"]).await.exits_with(0);
    let hire = |name: &str| {
        let mut command = site.command(SCHEDULED);
        command.args(["run", "--lease", "1s", "--worker-id", name]);
        spawn(command, site.folder(), name)
    };
    let mut workers: Vec<_> = (0..3).map(|number| hire(&format!("worker-{number}"))).collect();
    let store = loop {
        match SqliteBackend::open(SqliteOptions::new(site.file())).await {
            Ok(store) => break store,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    };
    let admin = store.admin().expect("for operators");
    let page = Page {
        size: 1000,
        after: None,
    };
    let began = tokio::time::Instant::now();
    for number in 3..9 {
        // One tick further, then the worker that has been there for longest goes.
        let before = admin
            .list(&Filter::default(), &page)
            .await
            .expect("listed")
            .tasks
            .len();
        while admin
            .list(&Filter::default(), &page)
            .await
            .expect("listed")
            .tasks
            .len()
            <= before
        {
            assert!(began.elapsed() < PATIENCE, "{}", workers[2].log());
            store.changed(Duration::from_millis(100)).await;
        }
        workers.remove(0).kill();
        workers.push(hire(&format!("worker-{number}")));
    }
    let tasks = admin.list(&Filter::default(), &page).await.expect("listed").tasks;
    let mut ticks: BTreeMap<Timestamp, usize> = BTreeMap::new();
    for task in &tasks {
        let names: serde_json::Value =
            serde_json::from_str(task.metadata.as_deref().expect("metadata")).expect("JSON");
        assert_eq!(names["task.schedule"], "scheduled::secondly");
        let tick = names["task.tick"]
            .as_str()
            .expect("a tick")
            .parse()
            .expect("a time");
        *ticks.entry(tick).or_default() += 1;
    }
    let all: Vec<Timestamp> = ticks.keys().copied().collect();
    assert!(
        all.len() >= 6 && ticks.values().all(|tasks| *tasks == 1),
        "{ticks:?}"
    );
    for pair in all.windows(2) {
        assert_eq!(pair[1], pair[0] + SECOND, "none is left out: {all:?}");
    }
}
