//! A site with an open store, a ledger and gates.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::{Duration, Instant};

use conformance::executions::{gate_in, record};
use task_core::{
    Backends, Count, Filter, Page, Task, TaskAdmin, TaskCall, TaskId, TaskRecord, TaskStatus, enqueue_many_on,
};

use super::{Home, Kind, PATIENCE, Process, Reader, Site, Sql, eventually, within};

/// How many records a test reads at a time.
const PAGE: usize = Page::MAX_SIZE;

/// What one test has to itself.
#[derive(Debug)]
pub struct Place {
    site: Site,
    home: Home,
    backends: Backends,
}

impl Deref for Place {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Place {
    /// A place with an empty store in a file.
    pub async fn new() -> Self {
        Self::at(Site::new()).await
    }

    /// A place with an empty store of this kind.
    pub async fn on(kind: Kind) -> Self {
        Self::with(Home::new(kind).await).await
    }

    /// A place whose tasks are kept there.
    pub async fn with(home: Home) -> Self {
        let site = Site::with_settings(&home.settings());
        Self::opened(site, home).await
    }

    async fn opened(site: Site, home: Home) -> Self {
        Self {
            backends: Backends::single(home.open(&site.file()).await),
            site,
            home,
        }
    }

    /// Where its tasks are kept.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// A place at this site, whose store is opened or made.
    pub async fn at(site: Site) -> Self {
        Self::opened(site, Home::new(Kind::Sqlite).await).await
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

    /// The store's face for operators.
    pub fn admin(&self) -> &dyn TaskAdmin {
        let alias = self.backends.get("default").expect("the only one");
        alias.backend().admin().expect("a store has a face for operators")
    }

    /// Returns when the store knows that so many tasks have ended and exactly so many run, and
    /// that more are claimed and wait in the memory of workers; says how many wait there.
    pub async fn runs_and_holds_more(&self, ended: usize, running: usize) -> usize {
        // What began and did not end: `started` less those that are not among `remaining`.
        const CLAIMED: &str = "SELECT (SELECT count(*) FROM @result), \
             CAST(coalesce(sum(started + remaining \
             - (length(tasks) - length(replace(tasks, ',', '')) + 1)), 0) AS @int), \
             CAST(coalesce(sum(remaining), 0) AS @int) FROM @claim";
        eventually("the store to know what runs", async || {
            let (seen, held) = match self.home.kind {
                Kind::Redis | Kind::RedisCluster => {
                    // It keeps in a batch only what has not ended; which of those began, it does not show.
                    let held = self.count(TaskStatus::Running).await;
                    ([self.count(TaskStatus::Successful).await, running], held)
                }
                _ => {
                    let numbers = self.home.numbers(&self.file(), CLAIMED).await;
                    let number = |at: usize| usize::try_from(numbers[at]).expect("not negative");
                    ([number(0), number(1)], number(2))
                }
            };
            if seen == [ended, running] && held > running {
                Ok(held - running)
            } else {
                let [ended, running] = seen;
                Err(format!("{ended} ended, {held} claimed, {running} of them begun"))
            }
        })
        .await
    }

    /// How many tasks are in each state of each queue.
    pub async fn counts(&self) -> Vec<Count> {
        self.admin().counts().await.expect("tasks can be counted")
    }

    /// How many tasks are in this state.
    pub async fn count(&self, status: TaskStatus) -> usize {
        let counts = self.counts().await;
        let counts = counts.iter().filter(|count| count.status == status);
        usize::try_from(counts.map(|count| count.tasks).sum::<u64>()).expect("a usize")
    }

    /// Returns when nothing waits and nothing is claimed any more.
    pub async fn all_end(&self) {
        self.all_end_within(PATIENCE).await;
    }

    /// The same within this time.
    pub async fn all_end_within(&self, time: Duration) {
        within(time, "the end of all tasks", async || {
            let began = Instant::now();
            // The store may be away: then they have not ended as far as anybody knows.
            let counts = self.admin().counts().await.map_err(|error| error.to_string())?;
            let left: Vec<_> = counts
                .iter()
                .filter(|count| !count.status.is_finished())
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            // Counting reads everything: not so often that nothing else is done.
            tokio::time::sleep(began.elapsed() * 3).await;
            Err(format!("{left:?}, {} executions", self.ledger().len()))
        })
        .await;
    }

    /// Everything stored about every task, the one enqueued last first.
    pub async fn records(&self) -> Vec<TaskRecord> {
        let (mut records, mut page) = (
            Vec::new(),
            Page {
                size: PAGE,
                after: None,
            },
        );
        loop {
            let read = self
                .admin()
                .list(&Filter::default(), &page)
                .await
                .expect("tasks can be listed");
            records.extend(read.tasks);
            page.after = read.next;
            if page.after.is_none() {
                return records;
            }
        }
    }

    /// How every task stands, by id.
    pub async fn ended(&self) -> BTreeMap<String, Ended> {
        let ended = self.records().await.into_iter().map(|record| {
            let ended = Ended {
                status: record.status.to_string(),
                attempts: record.attempts,
                value: record.return_value,
                error: record.errors.last().map(|error| error.failure.message.clone()),
            };
            (record.id.to_string(), ended)
        });
        ended.collect()
    }

    /// Nothing is left over in the store, no worker holds anything, and a file is sound.
    pub async fn assert_clean(&self) {
        assert_eq!(self.home.leftovers(&self.file()).await, [] as [String; 0]);
        let workers = self.admin().workers().await.expect("workers can be listed");
        assert!(workers.iter().all(|worker| worker.claimed == 0), "{workers:?}");
        if self.home.kind == Kind::Sqlite {
            let mut sql = self.sql().await;
            assert_eq!(sql.integrity().await, "ok");
            sql.close().await;
        }
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
