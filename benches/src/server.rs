//! The same on a database server: `bench server URL`. Each figure on an empty schema or
//! database of its own.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, PgConnection};
use task_backends::connect_one;
use task_core::{BackendSettings, Backends, Registry, TaskStatus, enqueue_many_on, queue, run_after};
use task_worker::{Shutdown, Worker, WorkerOptions};

use crate::ours::{NOTE, noop, now_us, rate, stamp};
use crate::report::Report;
use crate::{Outcome, Plan, redis};

/// How far away tasks are that must not slow the others.
pub(crate) const NEXT_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// An empty store on the server; removed by [`Place::remove`].
pub(crate) struct Place {
    server: String,
    name: String,
    settings: BackendSettings,
    /// Of an SQLite file.
    folder: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) async fn new(server: &str) -> Outcome<Self> {
        let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
        let kind = match server.split(':').next() {
            Some("postgres" | "postgresql") => "postgres",
            Some("redis" | "rediss" | "valkey") => "redis",
            Some("sqlite") => "sqlite",
            _ => "mysql",
        };
        let mut settings = BackendSettings::of_kind(kind);
        settings.url = Some(server.to_owned());
        let mut folder = None;
        match kind {
            "postgres" => {
                settings.options.insert("schema".to_owned(), name.clone().into());
            }
            "redis" => {
                settings.options.insert("prefix".to_owned(), name.clone().into());
            }
            "sqlite" => {
                let file = folder.insert(tempfile::tempdir()?).path().join("tasks.db");
                settings.url = Some(format!("sqlite://{}", file.display()));
            }
            _ => {
                let mut connection = MySqlConnection::connect(server).await?;
                let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
                connection.execute(create).await?;
                let (host, _) = server.rsplit_once('/').ok_or("the url names no database")?;
                settings.url = Some(format!("{host}/{name}"));
            }
        }
        Ok(Self {
            server: server.to_owned(),
            name,
            settings,
            folder,
        })
    }

    pub(crate) async fn open(&self) -> Outcome<Backends> {
        Ok(Backends::new(vec![connect_one("default", &self.settings).await?]))
    }

    pub(crate) async fn remove(self) -> Outcome {
        match self.settings.backend.as_str() {
            "postgres" => {
                let drop = AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", self.name));
                PgConnection::connect(&self.server).await?.execute(drop).await?;
            }
            "redis" => redis::remove(&self.server, &self.name).await?,
            "sqlite" => drop(self.folder),
            _ => {
                let drop = AssertSqlSafe(format!("DROP DATABASE {}", self.name));
                MySqlConnection::connect(&self.server)
                    .await?
                    .execute(drop)
                    .await?;
            }
        }
        Ok(())
    }
}

/// Measures everything on the server of this URL.
pub(crate) fn measure(url: &str, plan: Plan) -> Outcome {
    let mut report = Report::default();
    for round in 1..=plan.repeats {
        eprintln!("round {round} of {}", plan.repeats);
        let run = crate::runtime()?;
        report.add("enqueue_many", "tasks/s", run.block_on(bulk(url, plan.tasks))?);
        for (what, callers) in [
            ("1 caller", 1),
            ("16 concurrent callers", 16),
            ("64 concurrent callers", 64),
        ] {
            let each = if callers == 1 {
                plan.calls_each
            } else {
                plan.calls_each * 16 / callers
            };
            report.add(
                what,
                "tasks/s",
                run.block_on(callers_at_once(url, callers, each))?,
            );
        }
        let (what, tasks) = ("drain, one worker process", plan.tasks);
        report.add(what, "tasks/s", run.block_on(drain(url, tasks, 0, 1))?);
        let what = "drain beside as many scheduled tasks times ten";
        report.add(what, "tasks/s", run.block_on(drain(url, tasks, 10 * tasks, 1))?);
        let what = "drain of 1000 queues";
        report.add(what, "tasks/s", run.block_on(drain(url, tasks, 0, 1000))?);
        let inside = run.block_on(pick_up(url, plan.pickups, false))?;
        report.add_percentiles("pick-up inside one process", inside);
        let across = run.block_on(pick_up(url, plan.pickups, true))?;
        report.add_percentiles("pick-up across processes", across);
    }
    report.print_for(url.split_once(':').map_or(url, |(kind, _)| kind), plan);
    Ok(())
}

pub(crate) async fn bulk(url: &str, tasks: usize) -> Outcome<f64> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let calls = (0..tasks as u64).map(|n| noop::new(n, NOTE)).collect();
    let began = Instant::now();
    enqueue_many_on(calls, &backends).await?;
    let took = began.elapsed();
    backends.close().await;
    place.remove().await?;
    Ok(rate(tasks, took))
}

pub(crate) async fn callers_at_once(url: &str, callers: usize, each: usize) -> Outcome<f64> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let began = Instant::now();
    let mut calling = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let backends = backends.clone();
        calling.spawn(async move {
            for number in 0..each as u64 {
                noop::new(number, NOTE).enqueue_on(&backends).await?;
            }
            Ok::<_, task_core::Error>(())
        });
    }
    for called in calling.join_all().await {
        called?;
    }
    let took = began.elapsed();
    backends.close().await;
    place.remove().await?;
    Ok(rate(callers * each, took))
}

pub(crate) async fn drain(url: &str, tasks: usize, scheduled: usize, queues: usize) -> Outcome<f64> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let later = (0..scheduled as u64).map(|n| noop::new(n, NOTE).using(run_after(NEXT_YEAR)));
    enqueue_many_on(later.collect(), &backends).await?;
    let now = (0..tasks).map(|n| {
        let call = noop::new(n as u64, NOTE);
        if queues == 1 {
            call
        } else {
            call.using(queue(format!("queue-{}", n % queues)))
        }
    });
    enqueue_many_on(now.collect(), &backends).await?;
    let took = work(&backends, true).await?;
    let alias = backends.get("default")?;
    let counts = alias
        .backend()
        .admin()
        .ok_or("no operator's face")?
        .counts()
        .await?;
    let done: u64 = counts
        .iter()
        .filter(|count| count.status == TaskStatus::Successful)
        .map(|count| count.tasks)
        .sum();
    if done != tasks as u64 {
        return Err(format!("{done} of {tasks} tasks succeeded").into());
    }
    backends.close().await;
    place.remove().await?;
    Ok(rate(tasks, took))
}

pub(crate) async fn work(backends: &Backends, batch: bool) -> Outcome<Duration> {
    let options = WorkerOptions {
        batch,
        ..WorkerOptions::default()
    };
    let alias = backends.get("default")?.clone();
    let worker = Worker::new(alias, Registry::collected()?, options)?;
    let began = Instant::now();
    worker.run(Shutdown::on_signals()?).await?;
    Ok(began.elapsed())
}

/// Milliseconds from the call of `enqueue` to the task's beginning, one at a time.
pub(crate) async fn pick_up(url: &str, times: usize, across: bool) -> Outcome<Vec<f64>> {
    let place = Place::new(url).await?;
    let backends = place.open().await?;
    let workers = if across {
        place.open().await?
    } else {
        backends.clone()
    };
    let working = tokio::spawn({
        let workers = workers.clone();
        async move { work(&workers, false).await.map(drop) }
    });
    let mut waits = Vec::with_capacity(times);
    for _ in 0..times {
        let began = now_us();
        let mut result = stamp::new().enqueue_on(&backends).await?;
        let started: i64 = result.wait(Duration::from_secs(30)).await?;
        #[expect(clippy::cast_precision_loss, reason = "a few milliseconds")]
        waits.push((started - began) as f64 / 1000.0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    working.abort();
    let _ = working.await;
    if across {
        workers.close().await;
    }
    backends.close().await;
    place.remove().await?;
    Ok(waits)
}
