//! How a worker shares its slots: limits of queues and tasks, the order of queues.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use task_core::QueueSelection;
use task_worker::{ConcurrencyLimits, QueueOrder};

use super::RunArgs;
use crate::names::{self, Names};

#[derive(Debug, Args)]
pub(crate) struct ShareArgs {
    /// How many tasks of a queue this worker runs at a time: `mail=2,reports=1` [default: as
    /// --concurrency]
    #[arg(long, env = "TASK_LIMIT_QUEUE", value_name = "NAME=N", value_parser = Numbers::parse)]
    limit_queue: Vec<Numbers>,
    /// How many tasks of a name this worker runs at a time: `app::report=1` [default: as --concurrency]
    #[arg(long, env = "TASK_LIMIT_TASK", value_name = "NAME=N", value_parser = Numbers::parse)]
    limit_task: Vec<Numbers>,
    /// In which order queues are taken
    #[arg(
        long,
        env = "TASK_QUEUE_ORDER",
        value_name = "ORDER",
        value_enum,
        default_value = "priority"
    )]
    queue_order: OrderName,
}

/// The orders of queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OrderName {
    /// By the tasks' priorities, over all queues
    Priority,
    /// As --queue names them, one after the other
    Strict,
    /// By the weights in --queue: `mail=3,reports=1`
    Weighted,
}

/// Names with numbers, between commas.
#[derive(Debug, Clone, Default)]
struct Numbers(Vec<(String, usize)>);

impl Numbers {
    fn parse(text: &str) -> Result<Self, String> {
        let names = Names::parse_optional(text)?;
        let numbers = names.iter().map(|name| match name.rsplit_once('=') {
            Some((name, number)) if !name.trim().is_empty() => match number.trim().parse() {
                Ok(number) if number > 0 => Ok((name.trim().to_owned(), number)),
                _ => Err(format!("`{number}` of `{name}` is no number of at least 1")),
            },
            _ => Err(format!("`{name}` has no number; write it as in mail=2")),
        });
        numbers.collect::<Result<_, _>>().map(Self)
    }

    /// All of them; what is named twice is a mistake.
    fn join(lists: &[Self]) -> Result<BTreeMap<String, usize>, String> {
        let mut all = BTreeMap::new();
        for (name, number) in lists.iter().flat_map(|list| &list.0) {
            if all.insert(name.clone(), *number).is_some() {
                return Err(format!("`{name}` has two limits"));
            }
        }
        Ok(all)
    }
}

/// What a worker takes, how much of it, and in which order.
#[derive(Debug, Default)]
pub(crate) struct Share {
    pub(crate) queues: QueueSelection,
    pub(crate) order: QueueOrder,
    pub(crate) limits: ConcurrencyLimits,
}

impl RunArgs {
    /// What the flags about queues and limits say together.
    pub(crate) fn share(&self) -> Result<Share, String> {
        let except = self.exclude_queues.as_ref();
        let share = &self.share;
        let limits = ConcurrencyLimits {
            queues: Numbers::join(&share.limit_queue)?,
            tasks: Numbers::join(&share.limit_task)?,
        };
        let named = || self.queue.iter().filter(|name| *name != names::ALL);
        let (queues, order) = match share.queue_order {
            OrderName::Priority => (names::selection(&self.queue, except)?, QueueOrder::Priority),
            OrderName::Strict => {
                let order = QueueOrder::Strict(named().map(str::to_owned).collect());
                (names::selection(&self.queue, except)?, order)
            }
            OrderName::Weighted => {
                let weights = named().map(weight).collect::<Result<Vec<_>, _>>()?;
                let bare = self
                    .queue
                    .map(|name| weight(name).map_or_else(|_| name.to_owned(), |(name, _)| name));
                (names::selection(&bare, except)?, QueueOrder::Weighted(weights))
            }
        };
        if share.queue_order != OrderName::Priority && named().next().is_none() {
            return Err(
                "--queue-order needs the queues it is about: `--queue mail,reports`, and `*` for the rest"
                    .to_owned(),
            );
        }
        Ok(Share {
            queues,
            order,
            limits,
        })
    }
}

/// `mail=3`, or `mail` with the weight 1.
fn weight(text: &str) -> Result<(String, u32), String> {
    let Some((name, weight)) = text.rsplit_once('=') else {
        return Ok((text.to_owned(), 1));
    };
    match weight.trim().parse() {
        Ok(weight @ 1..=1000) if name.trim() != names::ALL => Ok((name.trim().to_owned(), weight)),
        Ok(1..=1000) => Err("the queues that `*` stands for have the weight 1 together".to_owned()),
        _ => Err(format!("the weight `{weight}` of `{name}` is none of 1 to 1000")),
    }
}
