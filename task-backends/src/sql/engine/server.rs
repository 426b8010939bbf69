//! What database servers have in common: how a claim chooses where to take from.
//!
//! Waiting tasks stand in one order over all lanes, and in one for each lane. Where nothing
//! waits that is not for this worker, as usual, it takes from the front of the common
//! order: it does not matter then how many lanes there are. Else it looks at each of its
//! lanes, and never reads past what is not for it.

mod trips;

use std::time::Duration;

use async_trait::async_trait;
use task_core::{ClaimRequest, Result};

use crate::sql::claim::{Place, Waiting, check_living, last_of, next_due};
use crate::sql::error::corrupt;
use crate::sql::json::count;
use crate::sql::lanes;
use crate::sql::taken::{Taken, Tasks};
use crate::sql::transaction::Transaction;
use crate::sql::value::{Row, Value};

pub(super) use trips::{Trip, trips, write};

/// How many scheduled tasks that have become due are moved over by one claim.
const PROMOTE: usize = 5000;

/// Up to so many lanes are looked at one by one without asking about the others.
const FEW_LANES: usize = 16;

/// Where to take from.
pub(super) enum Source {
    /// From the front of this lane.
    OneLane(i64),
    /// From the front of everything: each lane up to this one is this worker's.
    Everything(i64),
    /// From the front of everything, what is in these lanes: nearly all of it.
    Front(Vec<i64>),
    /// From each of these lanes what comes up to this place; these were seen there.
    UpTo {
        lanes: Vec<i64>,
        last: Place,
        #[cfg_attr(
            not(feature = "mysql"),
            allow(dead_code, reason = "it goes by lanes and place")
        )]
        seen: Vec<i64>,
    },
}

/// The statements of a claim that servers write differently.
#[async_trait]
pub(super) trait Taking: Send + Sync {
    /// Moves at most so many tasks that are due to where they can be claimed.
    async fn promote(&self, transaction: &mut Transaction<'_>, limit: usize) -> Result<()>;

    /// The first `each` waiting tasks of each of these lanes.
    async fn first_of_lanes(
        &self,
        transaction: &mut Transaction<'_>,
        lanes: &[i64],
        each: usize,
    ) -> Result<Vec<Waiting>>;

    /// Takes tasks off where they wait, writes the claim down with these values for its
    /// worker, time and how many start at once, and returns its number and the tasks.
    async fn take(
        &self,
        transaction: &mut Transaction<'_>,
        source: Source,
        limit: usize,
        claim: [Value; 3],
    ) -> Result<Option<(i64, Tasks)>>;
}

/// Whether the worker lives, what is due next, and which lanes there are.
const OUTLOOK: &str = "SELECT \
     (SELECT CASE WHEN ended_at IS NULL THEN 1 ELSE 0 END FROM @worker WHERE \"key\" = ?) AS living, \
     (SELECT min(due) FROM @scheduled) AS next_due, \
     (SELECT max(id) FROM @lane) AS last_lane";

/// Whether anything waits in these lanes.
const WAITING: &str =
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM @ready WHERE lane IN (?*)) THEN 1 ELSE 0 END AS waiting";

pub(super) async fn claim(
    taking: &dyn Taking,
    request: &ClaimRequest,
    transaction: &mut Transaction<'_>,
) -> Result<Taken> {
    let mut outlook = outlook(transaction, request).await?;
    let now = transaction.now().await?;
    if outlook.maybe_int("next_due")?.is_some_and(|due| due <= now) {
        taking.promote(transaction, PROMOTE).await?;
        outlook = self::outlook(transaction, request).await?;
    }
    if outlook.maybe_int("last_lane")?.unwrap_or(0) > transaction.lanes.all().last() {
        lanes::read_new(transaction).await?;
    }
    let lanes = transaction.lanes.divide(request);
    let mut taken = Taken {
        next_due: next_due(&outlook, now)?,
        worker: request.worker.0,
        now,
        lanes: lanes.own.clone(),
        ..Taken::default()
    };
    if request.limit == 0 || lanes.own.is_empty() {
        return Ok(taken);
    }
    let (own, others) = (lanes.numbers(), lanes.others.clone());
    let Some(source) = source(taking, transaction, own, others, request.limit).await? else {
        return Ok(taken);
    };
    let claim = [
        request.worker.0.into(),
        now.into(),
        count(request.starting).into(),
    ];
    if let Some((batch, tasks)) = taking.take(transaction, source, request.limit, claim).await? {
        taken.batch = batch;
        taken.tasks = tasks;
    }
    Ok(taken)
}

async fn outlook(transaction: &mut Transaction<'_>, request: &ClaimRequest) -> Result<Row> {
    let mut rows = transaction.fetch(OUTLOOK, [request.worker.0.into()]).await?;
    let row = rows
        .pop()
        .ok_or_else(|| corrupt("a query without FROM returned no row"))?;
    check_living(&row)?;
    Ok(row)
}

async fn source(
    taking: &dyn Taking,
    transaction: &mut Transaction<'_>,
    own: Vec<i64>,
    others: Vec<i64>,
    limit: usize,
) -> Result<Option<Source>> {
    if let [lane] = own[..] {
        return Ok(Some(Source::OneLane(lane)));
    }
    if others.is_empty() {
        // A lane that was made since may be another worker's.
        return Ok(own.last().map(|last| Source::Everything(*last)));
    }
    if own.len() > FEW_LANES {
        let rows = transaction.fetch(WAITING, [others.into()]).await?;
        if !rows.last().map_or(Ok(true), |row| row.flag("waiting"))? {
            return Ok(Some(Source::Front(own)));
        }
    }
    // Each lane shows more than its share; what comes behind everything that was shown of
    // a lane is not taken, since more of that lane may come before it.
    let each = (2 * limit / own.len() + 16).min(limit);
    let waiting = taking.first_of_lanes(transaction, &own, each).await?;
    Ok(last_of(waiting.clone(), each, limit).map(|last| Source::UpTo {
        lanes: own,
        last,
        seen: waiting
            .iter()
            .filter(|task| task.place <= last)
            .map(|task| task.place.seq)
            .collect(),
    }))
}

/// How long opening a connection may take.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How many connections read at a time.
pub(super) const READERS: u32 = 4;

/// How long a connection that read is kept for the next reader.
pub(super) const READER_IDLES: Duration = Duration::from_secs(20);

/// How long a connection that was read from may take to show that it is alive.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);

/// Whether the next reader can have this connection. One that fell silent would be waited for, and keep its
/// place among the readers, for as long as the machine keeps it open.
pub(super) async fn still_answers<C: sqlx::Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    Ok(matches!(
        tokio::time::timeout(ALIVE_WITHIN, connection.ping()).await,
        Ok(Ok(()))
    ))
}
