//! A site with an open store, a ledger and gates.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use conformance::executions::{gate_in, record};
use sqlx::Row as _;
use task_backends::{SqliteBackend, SqliteOptions};
use task_core::{Backends, Task, TaskCall, TaskId, TaskRecord, TaskStatus, enqueue_many_on};

use super::{Process, Reader, Site, Sql, eventually};

/// What one test has to itself.
#[derive(Debug)]
pub struct Place {
    site: Site,
    backends: Backends,
}

impl Deref for Place {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Place {
    /// A place with an empty store.
    pub async fn new() -> Self {
        Self::at(Site::new()).await
    }

    /// A place at this site, whose store is opened or made.
    pub async fn at(site: Site) -> Self {
        let backend = SqliteBackend::open(SqliteOptions::new(site.file())).await;
        Self {
            backends: Backends::single(Arc::new(backend.expect("a new file"))),
            site,
        }
    }

    /// Lets go of the store and leaves the site as it is.
    pub async fn leave(self) -> Site {
        self.backends.close().await;
        self.site
    }

    /// The store, as the test itself uses it.
    pub fn backends(&self) -> &Backends {
        &self.backends
    }

    /// The store, past the framework.
    pub async fn sql(&self) -> Sql {
        Sql::open(&self.file()).await
    }

    /// What was executed.
    pub fn ledger(&self) -> Reader {
        Reader::new(self.folder())
    }

    /// Lets tasks pass that wait at this gate, all of them or those of one process.
    pub fn open_gate(&self, gate: &str, pid: Option<u32>) {
        let path = gate_in(self.folder(), gate, pid);
        std::fs::write(path, "").expect("the folder can be written to");
    }

    /// Enqueues these calls and returns their ids, in order.
    pub async fn enqueue<T: Task>(&self, calls: impl IntoIterator<Item = TaskCall<T>>) -> Vec<TaskId> {
        let calls = calls.into_iter().collect();
        let results = enqueue_many_on(calls, &self.backends).await;
        results
            .expect("accepted")
            .iter()
            .map(|result| result.id())
            .collect()
    }

    /// Enqueues so many tasks that only write their line.
    pub async fn enqueue_records(&self, count: u32) -> Vec<TaskId> {
        self.enqueue((0..count).map(record::new)).await
    }

    /// Looks a task up.
    pub async fn find(&self, id: TaskId) -> TaskRecord {
        let alias = self.backends.get("default").expect("the only one");
        alias.record(id).await.expect("the task is there")
    }

    /// Returns when the task is in this state, with its record.
    pub async fn becomes(&self, id: TaskId, status: TaskStatus) -> TaskRecord {
        eventually(&format!("{status}"), async || {
            let record = self.find(id).await;
            if record.status == status {
                Ok(record)
            } else {
                Err(format!("{record:?}"))
            }
        })
        .await
    }

    /// Returns when so many workers have joined.
    pub async fn workers_join(&self, count: usize) {
        eventually(&format!("{count} workers"), async || {
            let workers = self.admin().workers().await.expect("workers can be listed");
            if workers.len() == count {
                Ok(())
            } else {
                Err(format!("{workers:?}"))
            }
        })
        .await;
    }

    fn admin(&self) -> &dyn task_core::TaskAdmin {
        let alias = self.backends.get("default").expect("the only one");
        alias.backend().admin().expect("a store has a face for operators")
    }

    /// Returns when the store knows that so many tasks have ended and exactly so many run, and
    /// that more are claimed and wait in the memory of workers; says how many wait there.
    pub async fn runs_and_holds_more(&self, ended: usize, running: usize) -> usize {
        // What began and did not end: `started` less those that are not among `remaining`.
        const CLAIMED: &str = "SELECT (SELECT count(*) FROM result) AS ended, \
             coalesce(sum(remaining), 0) AS held, coalesce(sum(started + remaining \
             - (length(tasks) - length(replace(tasks, ',', '')) + 1)), 0) AS running FROM claim";
        let expected = [ended, running].map(|tasks| i64::try_from(tasks).expect("few"));
        let mut sql = self.sql().await;
        let waiting = eventually("the store to know what runs", async || {
            let rows = sql.rows(CLAIMED).await;
            let [ended, running, held] =
                ["ended", "running", "held"].map(|column| rows[0].get::<i64, _>(column));
            match usize::try_from(held - running) {
                Ok(waiting) if [ended, running] == expected && waiting > 0 => Ok(waiting),
                _ => Err(format!("{ended} ended, {held} claimed, {running} of them begun")),
            }
        })
        .await;
        sql.close().await;
        waiting
    }

    /// Returns when nothing waits and nothing is claimed any more.
    pub async fn all_end(&self) {
        const LEFT: &str = "SELECT (SELECT count(*) FROM ready) + (SELECT count(*) FROM scheduled) \
             + (SELECT coalesce(sum(remaining), 0) FROM claim)";
        let mut sql = self.sql().await;
        eventually("the end of all tasks", async || match sql.number(LEFT).await {
            0 => Ok(()),
            left => Err(format!("{left} left, {} executions", self.ledger().len())),
        })
        .await;
        sql.close().await;
    }

    /// How every task stands, by id.
    pub async fn ended(&self) -> BTreeMap<String, Ended> {
        let mut sql = self.sql().await;
        let rows = sql
            .rows("SELECT id, status, attempts, return_value, last_error FROM tasks")
            .await;
        sql.close().await;
        let ended = rows.iter().map(|row| {
            let ended = Ended {
                status: row.get("status"),
                attempts: row.get("attempts"),
                value: row.get("return_value"),
                error: row.get("last_error"),
            };
            (row.get("id"), ended)
        });
        ended.collect()
    }

    /// Nothing is left over in the file, and the file is sound.
    pub async fn assert_clean(&self) {
        let mut sql = self.sql().await;
        assert_eq!(sql.integrity().await, "ok");
        for (what, left) in [
            ("ready", sql.number("SELECT count(*) FROM ready").await),
            ("scheduled", sql.number("SELECT count(*) FROM scheduled").await),
            ("claimed", sql.number("SELECT count(*) FROM claim").await),
            ("to cancel", sql.number("SELECT count(*) FROM cancellation").await),
        ] {
            assert_eq!(left, 0, "{what}");
        }
        sql.close().await;
    }

    /// Every task was executed, and again only because one of these workers was lost under
    /// it; the stored result is that of the last execution.
    pub async fn assert_exact(&self, workers: &[&Process]) {
        let lost = workers.iter().filter(|worker| worker.was_lost());
        let lost: Vec<u32> = lost.map(|worker| worker.pid()).collect();
        let ledger = self.ledger().read();
        for (id, ended) in self.ended().await {
            let pids = ledger.of(&id);
            assert_eq!(ended.status, "SUCCESSFUL", "{id} {ended:?}, executed by {pids:?}");
            let (last, before) = pids.split_last().expect("what was successful was executed");
            assert_eq!(ended.value, Some(last.to_string()), "{id} executed by {pids:?}");
            assert!(
                before.iter().all(|pid| lost.contains(pid)),
                "{id} was executed by {pids:?}, of which only {lost:?} were lost"
            );
        }
    }
}

/// How a task stands.
#[derive(Debug)]
pub struct Ended {
    pub status: String,
    pub attempts: u32,
    pub value: Option<String>,
    pub error: Option<String>,
}
