//! What bounds a worker beside its concurrency, and in which order it looks at its queues.

use std::collections::{BTreeMap, BTreeSet};

use task_core::{Error, ErrorKind, Registry, Result, suggest_one_of};

use crate::worker::WorkerOptions;

/// The most combinations of a queue and a task that are asked for one by one.
const MOST_CELLS: usize = 256;

/// The largest weight of a queue.
const MOST_WEIGHT: u32 = 1000;

/// How many tasks of a queue, and of a name, one worker runs at a time. A task in a limited queue
/// whose name is limited as well counts against both.
///
/// The limits are this worker's own: two workers run twice as many. What waits in memory counts, too,
/// so nothing is fetched ahead of a limit, and so does a thread that outlives its attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConcurrencyLimits {
    /// By queue, at least 1 each.
    pub queues: BTreeMap<String, usize>,
    /// By the name of the task, at least 1 each. Its aliases count with it.
    pub tasks: BTreeMap<String, usize>,
}

/// In which order a worker looks at its queues.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum QueueOrder {
    /// By the tasks' priorities, over all queues. What is limited takes turns with the rest.
    #[default]
    Priority,
    /// These queues one after the other, whatever the priorities in them: a later one is looked at
    /// when the earlier ones have nothing to start. Queues that are not named come last, together.
    Strict(Vec<String>),
    /// Every queue gets a share of what is started, by its weight of 1 to 1000. What a queue does not
    /// need goes to the others. Queues that are not named have the weight 1, together.
    Weighted(Vec<(String, u32)>),
}

impl QueueOrder {
    /// The queues that are named, in order, with their weights.
    pub(crate) fn named(&self) -> Vec<(&str, u32)> {
        match self {
            Self::Priority => Vec::new(),
            Self::Strict(queues) => queues.iter().map(|queue| (queue.as_str(), 1)).collect(),
            Self::Weighted(queues) => queues
                .iter()
                .map(|(queue, weight)| (queue.as_str(), *weight))
                .collect(),
        }
    }
}

/// Refuses limits and orders that mean nothing.
///
/// # Errors
/// [`ErrorKind::Settings`] with what to change.
pub(crate) fn check(options: &WorkerOptions, registry: &Registry) -> Result<()> {
    let wrong = |message: String| Error::new(ErrorKind::Settings, message);
    let limits = &options.limits;
    for (name, limit) in limits.queues.iter().chain(&limits.tasks) {
        if *limit == 0 {
            return Err(wrong(format!("a limit of 0 for `{name}` would run nothing"))
                .hint("to stop a queue or a task for a while, pause it: worker pause"));
        }
    }
    let named = options.queue_order.named();
    for queue in limits
        .queues
        .keys()
        .map(String::as_str)
        .chain(named.iter().map(|(queue, _)| *queue))
    {
        if !options.queues.includes(queue) {
            return Err(
                wrong(format!("this worker does not take from the queue `{queue}`"))
                    .hint("add it to the worker's queues, or leave out its limit or its place in the order"),
            );
        }
    }
    for task in limits.tasks.keys() {
        if registry.find(task).is_none() {
            let names = registry.names();
            let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let hint = suggest_one_of(task, names);
            return Err(wrong(format!("no task `{task}` is registered, so it cannot be limited")).hint(hint));
        }
    }
    let mut seen = BTreeSet::new();
    for (queue, weight) in &named {
        if !seen.insert(*queue) {
            return Err(wrong(format!(
                "the queue `{queue}` stands twice in the order of queues"
            )));
        }
        if !(1..=MOST_WEIGHT).contains(weight) {
            return Err(wrong(format!(
                "the queue `{queue}` has the weight {weight}; it has to be 1 to {MOST_WEIGHT}"
            )));
        }
    }
    seen.extend(limits.queues.keys().map(String::as_str));
    let cells = (seen.len() + 1) * (limits.tasks.len() + 1);
    if cells > MOST_CELLS {
        return Err(wrong(format!(
            "{} queues with a limit or a place and {} limited tasks make {cells} combinations to look at, at most {MOST_CELLS} are possible",
            seen.len(),
            limits.tasks.len()
        ))
        .hint("share them among several workers"));
    }
    Ok(())
}
