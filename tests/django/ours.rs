//! The scenario run by ours: SQLite, and one worker that runs one task at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use conformance::Heard;
use serde_json::{Map, Value, json};
use task_backends::{SqliteBackend, SqliteOptions};
use task_core::signals::{TASK_ENQUEUED, TASK_FINISHED, TASK_STARTED};
use task_core::{
    BackendAlias, Backends, Clock, ErrorKind, Filter, Limits, NewTask, Page, PruneRule, QueueSelection,
    Result, Task, TaskCall, TaskId, TaskOptions, TaskRecord, TaskResult, Timestamp, get_result_on,
};
use task_worker::{Shutdown, Worker, WorkerOptions};

use super::scenario::{LookUp, Scenario, Step};
use super::tasks::{registry, with_task};

/// The store, its clock, and what was enqueued by label.
struct Run {
    backends: Backends,
    clock: Clock,
    kept: BTreeMap<String, TaskResult>,
}

/// What came of the scenario, in the words of `run.py`.
pub async fn report(scenario: &Scenario) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let signals = [&TASK_ENQUEUED, &TASK_STARTED, &TASK_FINISHED].map(|signal| Heard::of(signal, |_| true));
    let mut run = Run::open(folder.path(), scenario).await;
    for step in &scenario.tasks {
        // Time stands still otherwise.
        run.clock.advance(Duration::from_millis(1));
        let result = with_task!(&*step.task, enqueue(step, &run));
        let result = result.unwrap_or_else(|error| panic!("{}: {error}", step.label));
        run.kept.insert(step.label.clone(), result);
    }
    let mut report = Map::new();
    report.insert("refused".into(), run.refusals(scenario).await);
    report.insert("answered".into(), run.snapshots());
    report.insert("enqueued".into(), run.look_at_all().await);
    report.insert("look_ups_before".into(), run.look_ups(scenario).await);

    run.drain(scenario).await;
    report.insert("drained".into(), run.look_at_all().await);
    report.insert("snapshots".into(), run.snapshots());
    for result in run.kept.values_mut() {
        result.refresh().await.expect("it is there");
    }
    report.insert("refreshed".into(), run.snapshots());
    report.insert("look_ups_after".into(), run.look_ups(scenario).await);

    let [enqueued, started, finished] = signals.map(|heard| run.labels(&heard.records()));
    let times = |said: &[String], label: &str| said.iter().filter(|said| *said == label).count();
    let count = |label: &String| {
        let counts = json!({
            "enqueued": times(&enqueued, label),
            "started": times(&started, label),
            "finished": times(&finished, label),
        });
        (label.clone(), counts)
    };
    report.insert("signals".into(), run.kept.keys().map(count).collect());
    report.insert("listed".into(), run.list().await);
    report.insert("order".into(), json!(started));
    report.insert("ended".into(), json!(finished));
    run.prune().await;
    report.insert("left".into(), run.list().await);
    run.backends.close().await;
    Value::Object(report)
}

async fn enqueue<T: Task>(step: &Step, run: &Run) -> Result<TaskResult> {
    let mut options = TaskOptions::default();
    if let Some(priority) = step.priority {
        options = options.priority(priority);
    }
    if let Some(queue) = &step.queue {
        options = options.queue(queue.clone());
    }
    if let Some(alias) = &step.backend {
        options = options.backend(alias.clone());
    }
    if let Some(seconds) = step.run_after {
        let moment = run.clock.now().as_microsecond() + seconds * 1_000_000;
        options = options.run_after(Timestamp::from_microsecond(moment).expect("a time near ours"));
    }
    let Ok(arguments) = serde_json::from_value::<T>(step.arguments.clone()) else {
        return run.hand_in_anyway::<T>(step).await;
    };
    let call = TaskCall::new(arguments).using(options);
    let result = call.enqueue_on(&run.backends).await?;
    Ok(TaskResult::new(result.record().clone(), run.alias()))
}

async fn look_up<T: Task>(look_up: &LookUp, run: &Run) -> Result<Value> {
    let id: TaskId = match run.kept.get(&look_up.id) {
        Some(result) => result.id(),
        None => look_up.id.parse()?,
    };
    let result = get_result_on::<T>(id, &run.backends).await?;
    Ok(value_of(&TaskResult::new(result.record().clone(), run.alias())))
}

impl Run {
    async fn open(folder: &std::path::Path, scenario: &Scenario) -> Self {
        let clock = Clock::manual(Timestamp::from_second(2_000_000_000).expect("in range"));
        let options = SqliteOptions::new(folder.join("tasks.db")).clock(clock.clone());
        let backend = SqliteBackend::open(options).await.expect("a new file");
        let queues = scenario.queues.iter().cloned();
        let alias = BackendAlias::new("default", Arc::new(backend), queues, Limits::DEFAULT);
        Self {
            backends: Backends::new([alias]),
            clock,
            kept: BTreeMap::new(),
        }
    }

    fn alias(&self) -> Arc<BackendAlias> {
        self.backends.get("default").expect("the only one").clone()
    }

    /// What the compiler refuses here can come from another version of the program.
    async fn hand_in_anyway<T: Task>(&self, step: &Step) -> Result<TaskResult> {
        let task = NewTask {
            id: TaskId::new(),
            name: T::ENTRY.name().into(),
            queue: T::ENTRY.default_queue().into(),
            priority: T::ENTRY.default_priority(),
            run_after: None,
            arguments: step.arguments.to_string().into(),
            policy: T::ENTRY.policy(),
            metadata: None,
            unique: None,
        };
        let records = self.alias().backend().enqueue(vec![task]).await?;
        Ok(TaskResult::new(records[0].clone(), self.alias()))
    }

    async fn refusals(&self, scenario: &Scenario) -> Value {
        let mut refused = Map::new();
        for step in &scenario.refused {
            let outcome = with_task!(&*step.task, enqueue(step, self));
            let kind = outcome.map_or_else(|error| name_of(error.kind()), |_| "accepted".to_owned());
            refused.insert(step.label.clone(), json!(kind));
        }
        Value::Object(refused)
    }

    async fn look_ups(&self, scenario: &Scenario) -> Value {
        let mut found = Map::new();
        for asked in &scenario.look_ups {
            let outcome = with_task!(&*asked.task, look_up(asked, self));
            let value = outcome.unwrap_or_else(|error| json!(name_of(error.kind())));
            found.insert(asked.label.clone(), value);
        }
        Value::Object(found)
    }

    /// The results that `enqueue` answered with, as they are now.
    fn snapshots(&self) -> Value {
        self.kept
            .iter()
            .map(|(label, result)| (label.clone(), look(result)))
            .collect()
    }

    /// Every task, looked up.
    async fn look_at_all(&self) -> Value {
        let mut all = Map::new();
        for (label, result) in &self.kept {
            let found = self.alias().result(result.id()).await.expect("it is there");
            all.insert(label.clone(), look(&found));
        }
        Value::Object(all)
    }

    /// One worker, one task at a time, until nothing is due.
    async fn drain(&self, scenario: &Scenario) {
        let seconds = u64::try_from(scenario.drained_after).expect("later");
        self.clock.advance(Duration::from_secs(seconds));
        let options = WorkerOptions {
            id: "one".to_owned(),
            concurrency: 1,
            batch: true,
            queues: QueueSelection {
                only: Some(scenario.drained_queues.iter().cloned().collect()),
                except: BTreeSet::new(),
            },
            ..WorkerOptions::default()
        };
        let worker = Worker::new(self.alias(), registry(), options).expect("a worker like any other");
        worker.run(Shutdown::new()).await.expect("it ends well");
    }

    /// All tasks, the one enqueued last first.
    async fn list(&self) -> Value {
        let page = Page {
            size: Page::MAX_SIZE,
            after: None,
        };
        let alias = self.alias();
        let admin = alias.backend().admin().expect("an operator can look after it");
        let listed = admin
            .list(&Filter::default(), &page)
            .await
            .expect("it can be listed");
        json!(self.labels(&listed.tasks))
    }

    async fn prune(&self) {
        // A worker measures what passed by itself, so tasks ended a little after the clock's time.
        self.clock.advance(Duration::from_secs(60));
        let rule = PruneRule {
            min_age: Duration::ZERO,
            failed_min_age: None,
            queues: Vec::new(),
            dry_run: false,
        };
        let alias = self.alias();
        let admin = alias.backend().admin().expect("an operator can look after it");
        admin.prune(&rule).await.expect("it can be pruned");
    }

    /// The labels of those records that are of this run, in their order.
    fn labels(&self, records: &[TaskRecord]) -> Vec<String> {
        let label = |record: &TaskRecord| {
            let (label, _) = self.kept.iter().find(|(_, result)| result.id() == record.id)?;
            Some(label.clone())
        };
        records.iter().filter_map(label).collect()
    }
}

fn name_of(kind: ErrorKind) -> String {
    format!("{kind:?}")
}

fn value_of(result: &TaskResult) -> Value {
    match result.return_value() {
        Ok(value) => json!({ "value": value }),
        Err(error) => json!(name_of(error.kind())),
    }
}

/// What can be seen of a result.
fn look(result: &TaskResult) -> Value {
    let errors = result.errors.iter().map(|error| {
        let failure = &error.failure;
        let mut said = vec![failure.message.clone()];
        said.extend(failure.sources.iter().cloned());
        said
    });
    let seconds = |due: Timestamp| {
        let between = due.duration_since(result.enqueued_at);
        (between.as_millis() + 500).div_euclid(1_000)
    };
    json!({
        "status": result.status().as_str(),
        "is_finished": result.is_finished(),
        "attempts": result.attempts,
        "workers": result.worker_ids.len(),
        "queue": &*result.queue,
        "priority": result.priority,
        "arguments": result.arguments().expect("JSON"),
        "return_value": value_of(result),
        "errors": errors.collect::<Vec<_>>(),
        "run_after": result.run_after.map(|due| seconds(due) as i64),
        "times": times_of(result),
        "backend": result.backend(),
    })
}

/// The times that are there, in the order of a task's life, and whether they follow each other.
fn times_of(result: &TaskResult) -> Value {
    let times = [
        ("enqueued_at", Some(result.enqueued_at)),
        ("started_at", result.started_at),
        ("last_attempted_at", result.last_attempted_at),
        ("finished_at", result.finished_at),
    ];
    let there: Vec<_> = times
        .iter()
        .filter(|(_, time)| time.is_some())
        .map(|(name, _)| *name)
        .collect();
    let moments: Vec<_> = times.iter().filter_map(|(_, time)| *time).collect();
    json!({ "there": there, "in_order": moments.is_sorted() })
}
