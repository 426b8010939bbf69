//! `run`: a worker until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use task_core::{BackendAlias, Backends, Registry, Result, Settings};
use task_worker::{Shutdown, Worker, WorkerOptions, WorkerStatus, until_reached};

use super::{Session, by_crate, count_of};
use crate::args::{RunArgs, Share};
use crate::connect;
use crate::exit::{Exit, Trouble};
use crate::observe::Observer;
use crate::reload::Program;

/// How long backends have to let go of their connections in the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Runs a worker. A stop it was asked for is a good end, whatever became of the tasks; a
/// forced one is not.
pub(super) async fn run(args: &RunArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let registry = session.tasks()?;
    let settings = Settings::load()?;
    connect::find(&settings, &args.backend)?;
    let program = program(args)?;
    announce(registry, session);
    let (shutdown, status) = (Shutdown::on_signals()?, WorkerStatus::new());
    let observer = Observer::start(args, &status, &shutdown)?;
    let place = Place {
        args,
        shutdown,
        status,
    };
    let Some(backends) = place.open_all(&settings, session).await? else {
        tracing::info!("asked to end before the backends could be opened");
        return Ok(Exit::Done);
    };
    let ended = match backends.get(&args.backend) {
        Ok(alias) => place.work(alias, registry, program.as_ref()).await,
        Err(error) => Err(error.into()),
    };
    if tokio::time::timeout(CLOSE_WITHIN, backends.close())
        .await
        .is_err()
    {
        tracing::warn!("a backend did not close within {CLOSE_WITHIN:?}");
    }
    drop(observer);
    match (ended?, program) {
        (Ended::ToStartAgain, Some(program)) => Err(program.start_again().await.into()),
        (Ended::ByForce, _) => Ok(Exit::Failed),
        _ => Ok(Exit::Done),
    }
}

/// How a worker ended.
enum Ended {
    AsTold,
    ByForce,
    /// Its program was replaced.
    ToStartAgain,
}

/// This program's file, where it is to be watched.
fn program(args: &RunArgs) -> Result<Option<Program>> {
    if args.reload() && args.batch {
        tracing::warn!("--reload means nothing together with --batch, which ends by itself: reload is off");
        return Ok(None);
    }
    args.reload().then(Program::own).transpose()
}

fn announce(registry: &Registry, session: &Session<'_>) {
    tracing::info!(
        "{}: {}",
        count_of(registry.len() as u64, "registered task"),
        by_crate(registry)
    );
    for name in session.idle_crates(registry) {
        tracing::warn!("the crate `{name}` is named for its tasks, but has none");
    }
}

/// What the parts of a worker's life have in common.
struct Place<'a> {
    args: &'a RunArgs,
    shutdown: Shutdown,
    status: WorkerStatus,
}

impl Place<'_> {
    /// Opens all backends, not only the worker's own: its tasks may enqueue tasks anywhere. Waits
    /// for those that cannot be reached; `None` when the worker was asked to end meanwhile.
    async fn open_all(&self, settings: &Settings, session: &Session<'_>) -> Result<Option<Backends>> {
        let patience = self.args.start_timeout();
        let mut aliases = Vec::new();
        for (alias, settings) in &settings.backends {
            let open = || connect::open(alias, settings, session);
            match until_reached(patience, &self.status, &self.shutdown, open).await? {
                Some(opened) => aliases.push(opened),
                None => return Ok(None),
            }
        }
        connect::install(aliases).map(Some)
    }

    async fn work(
        &self,
        alias: &Arc<BackendAlias>,
        registry: &Registry,
        program: Option<&Program>,
    ) -> Result<Ended, Trouble> {
        let (options, shutdown) = (options(self.args), &self.shutdown);
        for queue in options.queues.only.iter().flatten().chain(&options.queues.except) {
            // What waits there may have been enqueued under other settings, so it is no error.
            if let Err(error) = alias.check_queue(queue) {
                tracing::warn!("{error}");
            }
        }
        let worker = Worker::new(alias.clone(), registry.clone(), options)?.with_status(self.status.clone());
        let watching = program.map(|program| {
            let (replaced, shutdown) = (program.replaced(), shutdown.clone());
            tokio::spawn(async move {
                replaced.await;
                tracing::info!("this program was replaced: giving back what runs, then starting again");
                shutdown.make_way();
            })
        });
        let worked = worker.run(shutdown.clone()).await;
        if let Some(watching) = watching {
            watching.abort();
        }
        worked?;
        Ok(if shutdown.is_forced() {
            Ended::ByForce
        } else if shutdown.is_making_way() {
            Ended::ToStartAgain
        } else {
            Ended::AsTold
        })
    }
}

fn options(args: &RunArgs) -> WorkerOptions {
    let defaults = WorkerOptions::default();
    // Checked when the arguments were read.
    let Share {
        queues,
        order,
        limits,
    } = args.share().unwrap_or_default();
    WorkerOptions {
        id: args.worker_id.clone().unwrap_or(defaults.id),
        queues,
        queue_order: order,
        concurrency: args.concurrency,
        keep: args.keep,
        limits,
        prefetch: args.prefetch,
        lease: args.lease,
        interval: args.interval,
        startup_delay: args.startup_delay(),
        start_timeout: args.start_timeout(),
        stop_timeout: args.stop_timeout,
        batch: args.batch,
        max_tasks: args.max_tasks,
    }
}
