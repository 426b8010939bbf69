//! A store of whatever engine: what the three faces of its backend do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use task_core::{
    CancelRequest, Cancellation, Claim, ClaimRequest, Count, Error, ErrorKind, Filter, Finish, GivenBack,
    NewTask, Page, Pausable, Paused, Progress, PruneRule, Renewal, Rescued, Result, TaskAdmin, TaskId,
    TaskPage, TaskQueue, TaskRecord, Timestamp, Wake, WorkerInfo, WorkerKey, WorkerRecord, signals,
};

use super::claim::{ClaimWork, Unsettled};
use super::engine::{Engine, Link};
use super::enqueue::NewRows;
use super::lanes::{Lanes, LanesWork};
use super::paused::PauseWork;
use super::schedules::{LastTicksWork, TickedWork};
use super::schema::{self, Migration};
use super::transaction::{Reader, Transaction, read_time};
use super::unique::{Stored, UniqueWork};
use super::watch::{Looker, Watch};
use super::writer::Writer;
use super::{back, change, finish, list, paused, record, rescue, unique, workers};

/// How long connections may take to close.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// The pauses before each try to end a damaged task. After the last one it waits, claimed, until
/// its worker ends.
const PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// A store that is open.
pub(crate) struct Store {
    engine: Arc<dyn Engine>,
    writer: Writer,
    lanes: Arc<Lanes>,
    watch: Watch,
    looker: Mutex<Option<Looker>>,
    unsettled: Arc<Unsettled>,
}

/// The version the store has and the steps it still needs.
pub(crate) async fn pending_migrations(engine: &dyn Engine) -> Result<(i64, Vec<Migration>)> {
    let Some(mut link) = engine.inspect().await? else {
        return Ok((0, engine.migrations()));
    };
    let pending = schema::pending(engine, &mut *link).await;
    link.close().await;
    pending.map_err(|error| engine.placed(error))
}

impl Store {
    /// Opens it and brings its schema up to date.
    pub(crate) async fn open(engine: Arc<dyn Engine>) -> Result<Self> {
        // A look first: a store that is not ours stays as it is, to the byte.
        pending_migrations(&*engine).await?;
        let mut link = engine.connect_first().await?;
        let applied = engine.migrate(&mut *link).await;
        for step in applied.map_err(|error| engine.placed(error))? {
            tracing::info!(store = engine.place(), version = step.version, "schema migrated");
        }
        let lanes = Arc::new(Lanes::default());
        let watch = Watch::new();
        let looker = engine.look(&watch).await?;
        let writer = Writer::start(Some(link), &engine, &lanes, &watch)?;
        Ok(Self {
            engine,
            writer,
            lanes,
            watch,
            looker: Mutex::new(looker),
            unsettled: Arc::default(),
        })
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.engine.kind()
    }

    /// Stores tasks inside a transaction of the application's.
    pub(crate) async fn enqueue_on(
        &self,
        link: &mut dyn Link,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<TaskRecord>> {
        let has_unique = tasks.iter().any(|task| task.unique.is_some());
        let rows = NewRows::new(tasks.iter())?;
        if self.engine.is_server() && !rows.has_lanes(&self.lanes) {
            // Made apart: others who need the same new lane do not wait for this transaction.
            self.writer.run(LanesWork(rows.pairs.clone())).await?;
        }
        let now = match self.engine.clock() {
            Some(clock) => clock.now().as_microsecond(),
            None => read_time(&link.send_raw(self.engine.time().into_owned()).await?)?,
        };
        // Lanes that this transaction makes are not remembered: it may roll back.
        let mut transaction = Transaction::joined(link, self.engine.clone(), now, self.lanes.clone());
        let stored = if has_unique {
            unique::store(&mut transaction, &tasks).await?
        } else {
            vec![Stored::New(rows.store(&mut transaction).await?); tasks.len()]
        };
        transaction.send().await?;
        self.engine.tell_in(&mut transaction).await?;
        self.answer(tasks, stored).await
    }

    pub(crate) async fn enqueue(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
        if tasks.iter().any(|task| task.unique.is_some()) {
            let stored = self.writer.run(UniqueWork::new(tasks.clone())).await?;
            return self.answer(tasks, stored).await;
        }
        let records = self.writer.enqueue(tasks).await?;
        tell(&records);
        Ok(records)
    }

    /// The records of these tasks, or of those that hold their keys.
    async fn answer(&self, tasks: Vec<NewTask>, stored: Vec<Stored>) -> Result<Vec<TaskRecord>> {
        let mut records = Vec::with_capacity(tasks.len());
        for (task, stored) in tasks.into_iter().zip(stored) {
            match stored {
                Stored::New(accepted_at) => {
                    let record = task.accepted(accepted_at);
                    tell(std::slice::from_ref(&record));
                    records.push(record);
                }
                Stored::HeldBy(id, now) => {
                    // One that nobody can see was enqueued in the application's own transaction before, or
                    // pruned since.
                    let unseen = || NewTask { id, ..task }.accepted(now);
                    records.push(self.find(id).await?.unwrap_or_else(unseen));
                }
            }
        }
        Ok(records)
    }

    pub(crate) async fn find(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        let engine = self.engine.clone();
        apart(async move { record::find(&engine, id).await }).await
    }

    pub(crate) async fn cancel(&self, id: TaskId, request: &CancelRequest) -> Result<Cancellation> {
        request.check()?;
        let request = request.clone();
        let (outcome, seq) = self.writer.run(change::CancelWork { id, request }).await?;
        if outcome == Cancellation::Canceled {
            self.announce(vec![seq]).await;
        }
        Ok(outcome)
    }

    /// Sends `task_finished` for tasks that ended here without being run.
    async fn announce(&self, ended: Vec<i64>) {
        if ended.is_empty() || !signals::TASK_FINISHED.is_connected() {
            return;
        }
        let records = async {
            let mut reader = Reader::begin(&self.engine).await?;
            record::of_seqs(&mut reader, &ended).await
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
                    return self.announce(seqs).await;
                }
                Err(error) => tracing::error!(%error, "cannot end tasks that are damaged"),
            }
        }
    }

    pub(crate) async fn changed(&self, timeout: Duration) {
        self.watch.any(timeout).await;
    }

    pub(crate) async fn close(&self) {
        let looker = self.looker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(looker) = looker {
            looker.end().await;
        }
        self.writer.close().await;
        if tokio::time::timeout(CLOSED_WITHIN, self.engine.close())
            .await
            .is_err()
        {
            tracing::debug!("connections that did not end in time are dropped");
        }
    }
}

/// Reads apart from its caller: one that stops listening must not leave a connection of the
/// pool in the middle of an answer.
async fn apart<T: Send + 'static>(reading: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let ended = |error| Error::new(ErrorKind::Backend, "reading the store was ended").because(error);
    tokio::spawn(reading).await.map_err(ended)?
}

fn tell(records: &[TaskRecord]) {
    records
        .iter()
        .for_each(|record| signals::TASK_ENQUEUED.send(record));
}

#[async_trait]
impl TaskQueue for Store {
    async fn join(&self, worker: &WorkerInfo) -> Result<WorkerKey> {
        self.writer.run(workers::JoinWork(worker.clone())).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim> {
        let work = ClaimWork::new(request.clone(), self.unsettled.clone());
        let (claim, damaged) = self.writer.run(work).await?.read(&self.engine).await?;
        if !damaged.is_empty() {
            self.end_damaged(damaged).await;
        }
        Ok(claim)
    }

    async fn finish(&self, progress: Arc<Progress>) -> Result<Vec<TaskId>> {
        self.writer.run(finish::FinishWork::new(progress)?).await
    }

    async fn give_back(&self, tasks: Arc<Vec<GivenBack>>) -> Result<()> {
        let ended = self.writer.run(back::GiveBackWork(tasks)).await?;
        self.announce(ended).await;
        Ok(())
    }

    async fn renew(&self, worker: WorkerKey, lease: Duration) -> Result<Renewal> {
        self.writer.run(workers::RenewWork { worker, lease }).await
    }

    async fn rescue(&self, limit: usize) -> Result<Rescued> {
        let asked = Instant::now();
        let (rescued, ended) = self.writer.run(rescue::RescueWork { limit, asked }).await?;
        self.announce(ended).await;
        Ok(rescued)
    }

    async fn wait(&self, since: Wake, timeout: Duration) -> Wake {
        self.watch.ready(since, timeout).await
    }

    async fn last_ticks(&self, schedules: &[Arc<str>]) -> Result<Vec<Timestamp>> {
        self.writer.run(LastTicksWork(schedules.to_vec())).await
    }

    async fn ticked(&self, schedule: &str, tick: Timestamp) -> Result<()> {
        let schedule = schedule.into();
        self.writer.run(TickedWork { schedule, tick }).await
    }

    async fn leave(&self, worker: WorkerKey) -> Result<()> {
        self.writer.run(workers::LeaveWork(worker)).await
    }
}

#[async_trait]
impl TaskAdmin for Store {
    async fn list(&self, filter: &Filter, page: &Page) -> Result<TaskPage> {
        let (engine, filter, page) = (self.engine.clone(), filter.clone(), page.clone());
        apart(async move { list::list(&engine, &filter, &page).await }).await
    }

    async fn counts(&self) -> Result<Vec<Count>> {
        let engine = self.engine.clone();
        apart(async move { list::counts(&engine).await }).await
    }

    async fn retry(&self, id: TaskId) -> Result<TaskRecord> {
        self.writer.run(change::RetryWork(id)).await?;
        self.find(id)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no task {id}")))
    }

    async fn prune(&self, rule: &PruneRule) -> Result<u64> {
        change::prune(&self.engine, &self.writer, rule).await
    }

    async fn set_paused(&self, what: &Pausable, is_paused: bool) -> Result<()> {
        let what = what.clone();
        self.writer.run(PauseWork { what, is_paused }).await
    }

    async fn paused(&self) -> Result<Paused> {
        let engine = self.engine.clone();
        apart(async move { paused::paused(&engine).await }).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        let engine = self.engine.clone();
        apart(async move { workers::workers(&engine).await }).await
    }
}
