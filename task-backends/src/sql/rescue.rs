//! Tasks taken from workers that were lost.

use std::collections::BTreeSet;
use std::time::Instant;

use async_trait::async_trait;
use task_core::{Rescued, Result};

use super::back::{Histories, Returning, put_back};
use super::error::corrupt;
use super::finish::{lost, standing};
use super::json::count;
use super::listed::{self, Listed};
use super::transaction::{Transaction, Work};
use super::value::{Row, Value};

pub(crate) struct RescueWork {
    /// At most this many tasks.
    pub(crate) limit: usize,
    /// Only leases that had run out by then: nobody could renew while this waited.
    pub(crate) asked: Instant,
}

#[async_trait]
impl Work for RescueWork {
    /// Besides, the numbers of the tasks that ended.
    type Answer = (Rescued, Vec<i64>);

    async fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Answer> {
        let (mut rescued, mut all_ended) = (Rescued::default(), Vec::new());
        let free = transaction.engine().locking_what_is_free();
        let now = transaction.now().await?;
        let waited = i64::try_from(self.asked.elapsed().as_micros()).unwrap_or(i64::MAX);
        let query = format!(
            "SELECT \"key\" FROM @worker WHERE ended_at IS NULL AND lease_until < ? ORDER BY \"key\"{free}"
        );
        let rows = transaction
            .fetch(&query, [now.saturating_sub(waited).into()])
            .await?;
        let lost: Vec<i64> = rows.iter().map(|row| row.int("key")).collect::<Result<_>>()?;
        if !lost.is_empty() {
            // From here on the lost worker can neither claim nor renew.
            rescued.workers = lost.len();
            transaction.run(
                "UPDATE @worker SET ended_at = ? WHERE \"key\" IN (?*)",
                [now.into(), lost.into()],
            );
        }
        let query = format!(
            "SELECT id, worker, claimed_at, started, tasks FROM @claim \
             WHERE worker IN (SELECT \"key\" FROM @worker WHERE ended_at IS NOT NULL) ORDER BY id LIMIT 1{free}"
        );
        let mut left = self.limit;
        while left > 0 {
            let rows = transaction.fetch(&query, []).await?;
            let Some(row) = rows.first() else { break };
            let claim = LostClaim::read(transaction, row).await?;
            let (tasks, ended) = claim.take(transaction, left).await?;
            left = left.saturating_sub(tasks);
            rescued.returned += tasks - ended.len();
            rescued.failed += ended.len();
            all_ended.extend(ended);
        }
        Ok((rescued, all_ended))
    }
}

/// A claim whose worker is gone.
struct LostClaim {
    id: i64,
    worker: i64,
    worker_name: String,
    claimed_at: i64,
    started: u32,
    tasks: Vec<Listed>,
}

impl LostClaim {
    async fn read(transaction: &mut Transaction<'_>, row: &Row) -> Result<Self> {
        let worker = row.int("worker")?;
        let names = transaction
            .fetch("SELECT id FROM @worker WHERE \"key\" = ?", [worker.into()])
            .await?;
        Ok(Self {
            id: row.int("id")?,
            worker,
            worker_name: names
                .last()
                .ok_or_else(|| corrupt(format!("worker {worker} is not there")))?
                .text("id")?
                .to_string(),
            claimed_at: row.int("claimed_at")?,
            started: row.number("started")?,
            tasks: listed::read(&row.text("tasks")?)?,
        })
    }

    /// Puts what has not ended back and deletes the claim: from here on whatever its
    /// worker still has to say about it is refused. Returns how many tasks it took, and which of
    /// them ended.
    async fn take(self, transaction: &mut Transaction<'_>, limit: usize) -> Result<(usize, Vec<i64>)> {
        let left_already = self.ended(transaction).await?;
        let started = self.tasks.iter().take(self.started as usize);
        let losses = Histories::read(transaction, started.map(|task| task.seq)).await?;
        let mut returning = Vec::new();
        let mut rest = self.tasks.clone();
        for ((position, task), rest) in (0_u32..).zip(&self.tasks).zip(&mut rest) {
            let seq = task.seq;
            if seq == 0 || left_already.contains(&seq) {
                rest.seq = 0;
                continue;
            }
            if returning.len() == limit {
                continue;
            }
            rest.seq = 0;
            let started = if position < self.started {
                let (policy, before) = losses.of(seq)?;
                let failure = lost(&self.worker_name, before + 1, policy.max_lost);
                Some((self.claimed_at, failure))
            } else {
                None
            };
            returning.push(Returning {
                seq,
                batch: self.id,
                worker: self.worker,
                attempt: task.attempt,
                last_attempt: task.last_attempt,
                started,
                snooze: None,
            });
        }
        let standing = standing(transaction, &BTreeSet::from([self.id])).await?;
        let ended = put_back(transaction, &returning, &standing).await?;
        transaction.run("DELETE FROM @claim WHERE id = ?", [self.id.into()]);
        let left = rest.iter().filter(|task| task.seq > 0).count();
        if left > 0 {
            // Under another number, so that no lease of the old one is valid any more.
            transaction.run(
                "INSERT INTO @claim (worker, claimed_at, started, remaining, tasks) VALUES (?, ?, ?, ?, ?)",
                [
                    self.worker.into(),
                    self.claimed_at.into(),
                    self.started.into(),
                    count(left).into(),
                    listed::write(&rest).into(),
                ],
            );
        }
        Ok((returning.len(), ended))
    }

    /// The tasks of this claim that ended or went on to a retry.
    async fn ended(&self, transaction: &mut Transaction<'_>) -> Result<BTreeSet<i64>> {
        let seqs: Vec<i64> = self.tasks.iter().map(|task| task.seq).collect();
        let list = || Value::List(seqs.clone());
        let mut ended: BTreeSet<i64> = seqs.iter().copied().collect();
        for row in transaction
            .fetch("SELECT seq FROM @task WHERE seq IN (?*)", [list()])
            .await?
        {
            ended.remove(&row.int("seq")?);
        }
        let query = "SELECT seq FROM @result WHERE seq IN (?*) \
             UNION SELECT seq FROM @attempt WHERE seq IN (?*) AND claim = ?";
        for row in transaction.fetch(query, [list(), list(), self.id.into()]).await? {
            ended.insert(row.int("seq")?);
        }
        Ok(ended)
    }
}
