//! `run`: a worker until it is told to stop.

use std::sync::Arc;

use task_core::{BackendAlias, Registry, Result, Settings};
use task_worker::{Shutdown, Worker, WorkerOptions};

use super::{Session, by_crate, count_of};
use crate::args::RunArgs;
use crate::exit::{Exit, Trouble};
use crate::{connect, names};

/// Runs a worker. A stop it was asked for is a good end, whatever became of the tasks; a
/// forced one is not.
pub(super) async fn run(args: &RunArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let registry = session.tasks()?;
    let settings = Settings::load()?;
    connect::find(&settings, &args.backend)?;
    announce(registry, session);
    // All of them, not only the worker's own: its tasks may enqueue tasks anywhere.
    let backends = connect::open_all(&settings, session).await?;
    let ended = match backends.get(&args.backend) {
        Ok(alias) => work(args, alias, registry).await,
        Err(error) => Err(error.into()),
    };
    backends.close().await;
    ended
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

async fn work(args: &RunArgs, alias: &Arc<BackendAlias>, registry: &Registry) -> Result<Exit, Trouble> {
    let options = options(args);
    for queue in options.queues.only.iter().flatten().chain(&options.queues.except) {
        // What waits there may have been enqueued under other settings, so it is no error.
        if let Err(error) = alias.check_queue(queue) {
            tracing::warn!("{error}");
        }
    }
    let worker = Worker::new(alias.clone(), registry.clone(), options)?;
    let shutdown = Shutdown::on_signals()?;
    worker.run(shutdown.clone()).await?;
    Ok(if shutdown.is_forced() {
        Exit::Failed
    } else {
        Exit::Done
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
        stop_timeout: args.stop_timeout,
        batch: args.batch,
        max_tasks: args.max_tasks,
    }
}
