//! Tasks in an SQL database. One file per family of statements; [`writer`] is the only
//! one that commits.
//!
//! Layout: a task's row is written once; where it is in its life shows in which narrow
//! table its number stands. Claiming deletes it from `ready` and writes one row for the
//! whole batch, finishing appends to `result`. `migrations/` has the tables with the
//! reasons, `docs/design.md` the measurements behind them.

mod back;
mod change;
mod claim;
mod damage;
mod enqueue;
mod error;
mod finish;
mod json;
mod lanes;
mod list;
mod listed;
mod open;
mod record;
mod schema;
mod script;
mod taken;
mod watch;
mod workers;
mod writer;

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, SqliteConnection};
use task_core::{
    Cancellation, Capabilities, Claim, ClaimRequest, Clock, Count, Error, ErrorKind, Filter, Finish,
    GivenBack, NewTask, Page, Progress, PruneRule, Renewal, Rescued, Result, TaskAdmin, TaskBackend, TaskId,
    TaskPage, TaskQueue, TaskRecord, Wake, WorkerInfo, WorkerKey, WorkerRecord, signals,
};

use tempfile::TempDir;

pub use open::{SqliteOptions, Synchronous};
pub use schema::Migration;

use lanes::Lanes;
use open::Opener;
use watch::{Looking, Watch};
use writer::{Transaction, Writer};

/// The pauses before each try to end a damaged task. After the last one it waits, claimed, until
/// its worker ends.
const PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Tasks in an SQLite file: embedded, durable, shared by several processes of one machine.
///
/// One connection of each process writes, and callers that come at the same time share
/// its commits; reading goes on beside it.
pub struct SqliteBackend {
    path: PathBuf,
    clock: Clock,
    writer: Writer,
    readers: SqlitePool,
    lanes: Arc<Lanes>,
    watch: Watch,
    looking: Mutex<Option<Looking>>,
    /// Last: a temporary folder is removed when nobody works in it any more.
    _folder: Option<Arc<TempDir>>,
}

impl SqliteBackend {
    /// Opens a file, makes it if the options allow it, and brings its schema up to date.
    ///
    /// # Errors
    /// - [`ErrorKind::Schema`]: the file was migrated by a newer version, or is another
    ///   program's. Nothing was written.
    /// - [`ErrorKind::Corrupt`], [`ErrorKind::Unavailable`], [`ErrorKind::Backend`]: what
    ///   SQLite says about the file.
    pub async fn open(options: SqliteOptions) -> Result<Self> {
        // A look first: a file that is not ours stays as it is, to the byte.
        Self::pending_migrations(&options).await?;
        let opener = Opener::new(&options);
        let mut connection = opener.connect(true).await?;
        let migrated = schema::migrate(&mut connection).await;
        let applied = migrated.map_err(|error| opener.place(error))?;
        for migration in applied {
            tracing::info!(file = %options.path.display(), version = migration.version, "schema migrated");
        }
        let readers = opener.readers().await?;
        let lanes = Arc::new(Lanes::default());
        let watch = Watch::new();
        let looking = watch.start(opener.connect(false).await?, options.clock.clone());
        let writer = Writer::start(
            connection,
            opener,
            lanes.clone(),
            watch.clone(),
            options.clock.clone(),
        )?;
        Ok(Self {
            path: options.path,
            clock: options.clock,
            writer,
            readers,
            lanes,
            watch,
            looking: Mutex::new(Some(looking)),
            _folder: options.folder,
        })
    }

    /// A store for one test: a new file in a folder of its own, which is removed when the
    /// backend is dropped. For a clock that the test moves, or a second backend on the same
    /// file, see [`SqliteOptions::temporary`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use task_backends::SqliteBackend;
    /// # use task_core::Backends;
    /// # async fn example() -> task_core::Result<()> {
    /// let backends = Backends::single(Arc::new(SqliteBackend::temporary().await?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`SqliteBackend::open`]; [`ErrorKind::Unavailable`] when the folder cannot be made.
    pub async fn temporary() -> Result<Self> {
        Self::open(SqliteOptions::temporary()?).await
    }

    /// The steps that [`SqliteBackend::open`] would take on this file, without taking
    /// them, and the version it has now. A file that is not there has version 0.
    ///
    /// # Errors
    /// As [`SqliteBackend::open`].
    pub async fn pending_migrations(options: &SqliteOptions) -> Result<(i64, Vec<Migration>)> {
        if options.path.is_dir() {
            return Err(
                Error::new(ErrorKind::Backend, "this is a folder, and the store is a file")
                    .at(options.path.display().to_string())
                    .hint("name a file in that folder in `url`, as in sqlite://data/tasks.db"),
            );
        }
        // An empty file is what SQLite makes of one that is not there.
        if std::fs::metadata(&options.path).map_or(true, |file| !file.is_file() || file.len() == 0) {
            return Ok((0, schema::MIGRATIONS.to_vec()));
        }
        let opener = Opener::new(options);
        let place = |error| opener.place(error);
        let mut connection = opener.inspect().await?;
        let version = schema::version(&mut connection).await.map_err(place)?;
        let pending = schema::pending(&mut connection).await.map_err(place)?;
        connection.close().await.map_err(error::from_sqlx)?;
        Ok((version, pending))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores tasks through a connection of the application's, inside whatever
    /// transaction is open on it: they commit or vanish with it. See
    /// [`EnqueueIn`](crate::EnqueueIn).
    ///
    /// # Errors
    /// What the database says. The transaction should then be rolled back.
    pub(crate) async fn enqueue_on(
        &self,
        connection: &mut SqliteConnection,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<TaskRecord>> {
        let now = self.clock.now().as_microsecond();
        // Lanes that this transaction makes are not remembered: it may roll back.
        let mut transaction = Transaction::joined(connection, now, self.lanes.clone());
        let accepted_at = enqueue::NewRows::new(tasks.iter(), now)?
            .store(&mut transaction)
            .await?;
        transaction.send().await?;
        let records: Vec<TaskRecord> = tasks.into_iter().map(|task| task.accepted(accepted_at)).collect();
        records
            .iter()
            .for_each(|record| signals::TASK_ENQUEUED.send(record));
        Ok(records)
    }

    /// Sends `task_finished` for tasks that ended here without being run.
    async fn announce(&self, ended: &[i64]) {
        if ended.is_empty() || !signals::TASK_FINISHED.is_connected() {
            return;
        }
        let records = async {
            let mut reader = self.readers.acquire().await.map_err(error::from_sqlx)?;
            record::of_seqs(&mut reader, &json::json(ended)?).await
        };
        match records.await {
            Ok(records) => records
                .iter()
                .for_each(|(_, record)| signals::TASK_FINISHED.send(record)),
            Err(error) => tracing::warn!(%error, "cannot announce tasks that ended"),
        }
    }

    /// Ends claimed tasks that cannot be run.
    async fn end_damaged(&self, ends: Vec<Finish>) {
        let seqs: Vec<i64> = ends.iter().map(|end| end.lease.keys()[0]).collect();
        let ends = Arc::new(Progress::new(ends, Vec::new()));
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            let written = match finish::FinishWork::new(ends.clone()) {
                Ok(work) => self.writer.run(work).await,
                Err(error) => Err(error),
            };
            match written {
                Ok(_) => {
                    tracing::error!(
                        tasks = seqs.len(),
                        "what is stored about tasks is damaged: they end FAILED"
                    );
                    return self.announce(&seqs).await;
                }
                Err(error) => tracing::error!(%error, "cannot end tasks that are damaged"),
            }
        }
    }
}

impl fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteBackend({})", self.path.display())
    }
}

#[async_trait]
impl TaskBackend for SqliteBackend {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            priority: true,
            defer: true,
            async_task: true,
            get_result: true,
            durable: true,
        }
    }

    async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        let records = self.writer.enqueue(tasks).await?;
        records
            .iter()
            .for_each(|record| signals::TASK_ENQUEUED.send(record));
        Ok(records)
    }

    async fn find(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        record::find(&self.readers, id).await
    }

    async fn cancel(&self, id: TaskId) -> Result<Cancellation> {
        let (outcome, seq) = self.writer.run(change::CancelWork(id)).await?;
        if outcome == Cancellation::Canceled {
            self.announce(&[seq]).await;
        }
        Ok(outcome)
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
        let looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(looking) = looking {
            looking.end().await;
        }
        self.writer.close().await;
        self.readers.close().await;
    }
}

#[async_trait]
impl TaskQueue for SqliteBackend {
    async fn join(&self, worker: &WorkerInfo) -> Result<WorkerKey> {
        self.writer.run(workers::JoinWork(worker.clone())).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim> {
        let taken = self.writer.run(claim::ClaimWork(request.clone())).await?;
        let (claim, damaged) = taken.read(&self.readers).await?;
        if !damaged.is_empty() {
            self.end_damaged(damaged).await;
        }
        Ok(claim)
    }

    async fn finish(&self, progress: Arc<Progress>) -> Result<Vec<TaskId>> {
        self.writer.run(finish::FinishWork::new(progress)?).await
    }

    async fn give_back(&self, tasks: Vec<GivenBack>) -> Result<()> {
        let ended = self.writer.run(back::GiveBackWork(tasks)).await?;
        self.announce(&ended).await;
        Ok(())
    }

    async fn renew(&self, worker: WorkerKey, lease: Duration) -> Result<Renewal> {
        self.writer.run(workers::RenewWork { worker, lease }).await
    }

    async fn rescue(&self, limit: usize) -> Result<Rescued> {
        let work = back::RescueWork {
            limit,
            asked_at: self.clock.now().as_microsecond(),
        };
        let (rescued, ended) = self.writer.run(work).await?;
        self.announce(&ended).await;
        Ok(rescued)
    }

    async fn wait(&self, since: Wake, timeout: Duration) -> Wake {
        self.watch.ready(since, timeout).await
    }

    async fn leave(&self, worker: WorkerKey) -> Result<()> {
        self.writer.run(workers::LeaveWork(worker)).await
    }
}

#[async_trait]
impl TaskAdmin for SqliteBackend {
    async fn list(&self, filter: &Filter, page: &Page) -> Result<TaskPage> {
        list::list(&self.readers, filter, page).await
    }

    async fn counts(&self) -> Result<Vec<Count>> {
        list::counts(&self.readers).await
    }

    async fn retry(&self, id: TaskId) -> Result<TaskRecord> {
        self.writer.run(change::RetryWork(id)).await?;
        self.find(id)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no task {id}")))
    }

    async fn prune(&self, rule: &PruneRule) -> Result<u64> {
        change::prune(
            &self.readers,
            &self.writer,
            rule,
            self.clock.now().as_microsecond(),
        )
        .await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        workers::workers(&self.readers).await
    }
}
