//! `run`: a worker until it is told to stop.

use std::sync::Arc;

use task_core::{BackendAlias, Registry, Result, Settings};
use task_worker::{Shutdown, Worker, WorkerOptions};

use super::{Session, by_crate, count_of};
use crate::args::RunArgs;
use crate::exit::{Exit, Trouble};
use crate::reload::Program;
use crate::{connect, names};

/// Runs a worker. A stop it was asked for is a good end, whatever became of the tasks; a
/// forced one is not.
pub(super) async fn run(args: &RunArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let registry = session.tasks()?;
    let settings = Settings::load()?;
    connect::find(&settings, &args.backend)?;
    let program = program(args)?;
    announce(registry, session);
    // All of them, not only the worker's own: its tasks may enqueue tasks anywhere.
    let backends = connect::open_all(&settings, session).await?;
    let ended = match backends.get(&args.backend) {
        Ok(alias) => work(args, alias, registry, program.as_ref()).await,
        Err(error) => Err(error.into()),
    };
    backends.close().await;
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

async fn work(
    args: &RunArgs,
    alias: &Arc<BackendAlias>,
    registry: &Registry,
    program: Option<&Program>,
) -> Result<Ended, Trouble> {
    let options = options(args);
    for queue in options.queues.only.iter().flatten().chain(&options.queues.except) {
        // What waits there may have been enqueued under other settings, so it is no error.
        if let Err(error) = alias.check_queue(queue) {
            tracing::warn!("{error}");
        }
    }
    let worker = Worker::new(alias.clone(), registry.clone(), options)?;
    let shutdown = Shutdown::on_signals()?;
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

fn options(args: &RunArgs) -> WorkerOptions {
    let defaults = WorkerOptions::default();
    WorkerOptions {
        id: args.worker_id.clone().unwrap_or(defaults.id),
        // Checked when the arguments were read.
        queues: names::selection(&args.queue, args.exclude_queues.as_ref()).unwrap_or_default(),
        concurrency: args.concurrency,
        prefetch: args.prefetch,
        lease: args.lease,
        interval: args.interval,
        startup_delay: args.startup_delay(),
        stop_timeout: args.stop_timeout,
        batch: args.batch,
        max_tasks: args.max_tasks,
    }
}
