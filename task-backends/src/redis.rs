//! Tasks in Redis: a single server, a cluster, or Valkey. Every step is one script on one shard.
//!
//! A store is one shard on a single server and several on a cluster, where queues are spread over them
//! by name. All keys of a shard lie on one hash slot, since they begin with its tag `{prefix:number}`:
//!
//! | key | is |
//! | --- | --- |
//! | `task` | by id: the task as it was enqueued; never changed |
//! | `order:RANK` | sorted by due time and arrival: the due tasks of a priority (RANK is minus the priority), each with its lane (queue, U+001F, name) |
//! | `ready:RANK:LANE` | in the same way: those of a lane that a worker met and did not take, kept apart |
//! | `heads:RANK`, `ranks` | which lanes of a priority are kept apart, with the due time of the first task; which priorities have due tasks |
//! | `scheduled` | sorted by due time: tasks that are not due, with rank and lane |
//! | `running` | by id: the batch that holds the task, its position, its lane |
//! | `claim`, `held`, `left` | by batch: worker, time and how far it was started; its ids; how many are left |
//! | `result` | by id: how the task ended |
//! | `history` | by id, of tasks that failed, were lost or run again: attempts and why they failed |
//! | `damaged` | by id: the queue of failed tasks of which that cannot be read any more |
//! | `cancel`, `wantedby` | ids of running tasks that somebody wants to end; by id: who asked for an end, and why |
//! | `unique`, `keyof` | by key of a unique task: the id that holds it, for how long; by id: its key |
//! | `ended:2`, `ended:3` | sorted by arrival: those that failed, those that were canceled |
//! | `log:N`, `logs` | the ids of 512 arrivals; which parts of the log there are |
//! | `count` | by state and queue: how many are scheduled or ended, and how many there are in all |
//! | `senders` | by process that enqueues: its last call and the answer, so that it can be sent twice |
//! | `staged`, `stages`, `applied:ID` | calls with tasks on several shards, until they count; what came of one, for an hour |
//!
//! Shard 0 is also the home of what belongs to no queue: `format`, `seq` (the number of the last task),
//! `used` (the shards that were written to), `batches`, `workers` (the last numbers given), `worker:leases`, `worker:names`, `worker:ids`,
//! `worker:info`, `worker:gone`, `transaction:ID`, `paused`, `schedules`.
//!
//! A task is in exactly one of `order`, `ready`, `scheduled`, `running` and `result`. An end counts as long as
//! `running` names the batch of its lease, which is looked at in the script that writes the end.

mod answer;
mod change;
mod claim;
mod enqueue;
mod error;
mod finish;
mod link;
mod list;
mod options;
mod packed;
mod paused;
mod record;
mod schedules;
mod scripts;
mod server;
mod watch;
mod workers;
mod writer;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use task_core::{
    CancelRequest, Cancellation, Capabilities, Claim, ClaimRequest, Count, Error, ErrorKind, Filter,
    GivenBack, NewTask, Page, Pausable, Paused, Progress, PruneRule, Renewal, Rescued, Result, TaskAdmin,
    TaskBackend, TaskId, TaskPage, TaskQueue, TaskRecord, Timestamp, Wake, WorkerInfo, WorkerKey,
    WorkerRecord, signals,
};

pub use options::RedisOptions;

use answer::{list as values, next, number};
use claim::Claimer;
use link::{Arguments, Link, Time};
use server::Server;
use watch::{Listening, Watch};
use writer::{Stored, Writer};

/// The version of the layout of keys and of what scripts do with them.
const FORMAT: i64 = 1;

/// Over how many shards the queues of a cluster are spread.
const CLUSTER_SHARDS: u16 = 16;

/// Tasks in Redis, Redis Cluster or Valkey, shared by any number of processes and machines.
///
/// Each process has one connection for everything it asks (one to each server of a cluster), and one on
/// which it hears that there is something to do.
pub struct RedisBackend {
    link: Arc<Link>,
    server: Server,
    writer: Writer,
    claimer: Claimer,
    watch: Watch,
    listening: Mutex<Option<Listening>>,
}

impl RedisBackend {
    /// Connects, and looks whether tasks are safe there.
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidBackend`]: the server is too old, or it deletes keys when its memory is full.
    /// - [`ErrorKind::Schema`]: the keys were written by a newer version. Nothing was written.
    /// - [`ErrorKind::Unavailable`], [`ErrorKind::Backend`]: what the server says.
    pub async fn open(options: RedisOptions) -> Result<Self> {
        let clients = options.clients()?;
        let server = server::look_at(&clients, options.allow_eviction).await?;
        let (prefix, ahead) = (options.name().to_owned(), options.ahead.clone());
        let mut link = if server.is_cluster {
            Link::cluster(options.nodes().to_vec(), prefix, ahead)?
        } else if let [client] = clients.as_slice() {
            Link::single(client.clone(), prefix, ahead)
        } else {
            return Err(Error::new(
                ErrorKind::Settings,
                "several addresses, and the server is no cluster",
            )
            .hint("name one server, or servers of one cluster"));
        };
        let shards = shards(&link).await?;
        link.set_shards(shards);
        let link = Arc::new(link);
        enqueue::time(&link).await?;
        let watch = Watch::new();
        let listening = watch.listen(clients, link.prefix()).await?;
        Ok(Self {
            writer: Writer::start(link.clone(), watch.clone()),
            claimer: Claimer::new(link.clone()),
            listening: Mutex::new(Some(listening)),
            link,
            server,
            watch,
        })
    }

    /// The version that the server says it is.
    pub fn server_version(&self) -> &str {
        &self.server.version
    }
}

/// How many shards the store has: as many as it was made with.
async fn shards(link: &Link) -> Result<u16> {
    let mut asked = Arguments::default();
    asked.number(FORMAT);
    asked.number(if link.is_cluster() { CLUSTER_SHARDS } else { 1 });
    let answer = link.call(&scripts::OPEN, 0, Time::Server, &asked).await?;
    let mut answer = values(answer)?.into_iter();
    let (version, shards) = (number(next(&mut answer)?)?, number(next(&mut answer)?)?);
    if version != FORMAT {
        let message = format!(
            "the keys `{}` have format {version}, this program knows {FORMAT}",
            link.prefix()
        );
        return Err(Error::new(ErrorKind::Schema, message)
            .hint("run a newer version of this program, or choose another `prefix`"));
    }
    u16::try_from(shards)
        .ok()
        .filter(|shards| *shards > 0)
        .ok_or_else(|| error::corrupt(format!("a store of {shards} shards")))
}

impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.link.is_cluster() {
            "cluster"
        } else {
            "server"
        };
        write!(f, "RedisBackend({} on a {what})", self.link.prefix())
    }
}

#[async_trait]
impl TaskBackend for RedisBackend {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            priority: true,
            defer: true,
            async_task: true,
            get_result: true,
            durable: self.server.is_appending,
        }
    }

    async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        let stored = self.writer.enqueue(tasks).await?;
        let mut records = Vec::with_capacity(stored.len());
        for stored in stored {
            records.push(match stored {
                Stored::New(record) => {
                    signals::TASK_ENQUEUED.send(&record);
                    record
                }
                // One that nobody can see was pruned since.
                Stored::HeldBy(id, as_new) => self.find(id).await?.unwrap_or(TaskRecord { id, ..as_new }),
            });
        }
        Ok(records)
    }

    async fn find(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        record::find(&self.link, id).await
    }

    async fn cancel(&self, id: TaskId, request: &CancelRequest) -> Result<Cancellation> {
        let answer = change::cancel(&self.link, id, request).await?;
        self.watch.happened(false);
        Ok(answer)
    }

    async fn changed(&self, timeout: Duration) {
        self.watch.any(timeout).await;
    }

    fn queue(&self) -> Option<&dyn TaskQueue> {
        Some(self)
    }

    fn admin(&self) -> Option<&dyn TaskAdmin> {
        Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn close(&self) {
        drop(
            self.listening
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        self.writer.close().await;
        self.link.close();
    }
}

#[async_trait]
impl TaskQueue for RedisBackend {
    async fn join(&self, worker: &WorkerInfo) -> Result<WorkerKey> {
        workers::join(&self.link, worker).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim> {
        self.claimer.claim(request).await
    }

    async fn finish(&self, progress: Arc<Progress>) -> Result<Vec<TaskId>> {
        let refused = finish::finish(&self.link, &progress).await?;
        self.watch.happened(progress.finished.iter().any(is_retry));
        Ok(refused)
    }

    async fn give_back(&self, tasks: Arc<Vec<GivenBack>>) -> Result<()> {
        finish::give_back(&self.link, &tasks).await?;
        self.watch.happened(true);
        Ok(())
    }

    async fn renew(&self, worker: WorkerKey, lease: Duration) -> Result<Renewal> {
        workers::renew(&self.link, worker, lease).await
    }

    async fn rescue(&self, limit: usize) -> Result<Rescued> {
        let rescued = finish::rescue(&self.link, limit).await?;
        if rescued.returned + rescued.failed > 0 {
            self.watch.happened(true);
        }
        Ok(rescued)
    }

    async fn wait(&self, since: Wake, timeout: Duration) -> Wake {
        self.watch.ready(since, timeout).await
    }

    async fn last_ticks(&self, schedules: &[Arc<str>]) -> Result<Vec<Timestamp>> {
        schedules::last_ticks(&self.link, schedules).await
    }

    async fn ticked(&self, schedule: &str, tick: Timestamp) -> Result<()> {
        schedules::ticked(&self.link, schedule, tick).await
    }

    async fn leave(&self, worker: WorkerKey) -> Result<()> {
        workers::leave(&self.link, worker).await
    }
}

fn is_retry(finish: &task_core::Finish) -> bool {
    matches!(finish.outcome, task_core::Outcome::Retry(..))
}

#[async_trait]
impl TaskAdmin for RedisBackend {
    async fn list(&self, filter: &Filter, page: &Page) -> Result<TaskPage> {
        list::list(&self.link, filter, page).await
    }

    async fn counts(&self) -> Result<Vec<Count>> {
        list::counts(&self.link).await
    }

    async fn retry(&self, id: TaskId) -> Result<TaskRecord> {
        change::retry(&self.link, id).await?;
        self.watch.happened(true);
        self.find(id)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no task {id}")))
    }

    async fn prune(&self, rule: &PruneRule) -> Result<u64> {
        change::prune(&self.link, rule).await
    }

    async fn set_paused(&self, what: &Pausable, is_paused: bool) -> Result<()> {
        paused::set(&self.link, what, is_paused).await?;
        self.watch.happened(false);
        Ok(())
    }

    async fn paused(&self) -> Result<Paused> {
        paused::paused(&self.link).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        workers::workers(&self.link).await
    }
}
