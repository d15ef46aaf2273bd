//! The one writer: drains its queue into batches, commits each batch in one transaction, then
//! announces and answers.
//!
//! No artificial delay: a batch forms while the previous commit runs. When the disk fails the writer
//! ends, and the server with it: recovery starts from what is on disk.

use super::{
    LOG_PAGES,
    apply::{Batch, Made},
    figures::Figures,
    identity::{HighWater, Identity},
    keeper::Condition,
    lock::WriterNumber,
    memory::Memory,
    secrets::Secrets,
};
use crate::{
    Change, Committed, DeliveryBell, Failure, Outcome, Submission,
    cache::OrderCache,
    caught::{self, caught},
    change::Reply,
    fair::FairQueue,
    recent::RecentChannels,
    watch::Watches,
};
use metrics::counter;
use ordercast_core::{OrderId, ProjectId, Timestamp};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};
use tokio::sync::{oneshot, watch};

/// Bounds the time of one transaction and the loss of work when one change fails.
const BATCH_MAX: usize = 512;

#[derive(Debug)]
pub(super) struct Job {
    pub submission: Submission,
    pub reply: Reply,
    pub queued_at: Instant,
}

impl Job {
    pub(super) fn new(submission: Submission, reply: Reply) -> Self {
        Self {
            submission,
            reply,
            queued_at: Instant::now(),
        }
    }

    /// Changes nothing: wakes the writer.
    pub(super) fn nothing() -> Self {
        let submission = Submission {
            change: Change::Nothing,
            at: Timestamp::default(),
            idempotency: None,
        };
        Self::new(submission, oneshot::channel().0)
    }
}

pub(super) struct Writer<F> {
    connection: Connection,
    identity: Arc<Identity>,
    high_water: Arc<HighWater>,
    memory: Memory,
    secrets: Arc<Secrets>,
    audience: Audience<F>,
    number: WriterNumber,
    condition: Arc<Condition>,
    /// After a commit SQLite moves the log into the database.
    moves_log: bool,
    figures: Figures,
}

/// Who hears of a commit.
pub(super) struct Audience<F> {
    pub cache: Arc<OrderCache>,
    pub recent: Arc<RecentChannels>,
    pub on_commit: F,
    pub order_watches: Arc<Watches<(ProjectId, OrderId)>>,
    pub event_watches: Arc<Watches<ProjectId>>,
    pub newest_event: watch::Sender<i64>,
    pub bell: Arc<DeliveryBell>,
}

struct Written {
    outcomes: Vec<Outcome>,
    made: Made,
}

impl<F: FnMut(&[Committed]) + Send> Writer<F> {
    pub(super) fn new(
        connection: Connection,
        identity: Arc<Identity>,
        high_water: Arc<HighWater>,
        secrets: Arc<Secrets>,
        audience: Audience<F>,
        (number, condition): (WriterNumber, Arc<Condition>),
    ) -> Self {
        Self {
            connection,
            identity,
            high_water,
            memory: Memory::new(Arc::clone(&audience.cache)),
            secrets,
            audience,
            number,
            condition,
            moves_log: true,
            figures: Figures::new(),
        }
    }

    /// Until every handle of the store is gone, or the database fails. In the latter case the queue
    /// is closed, which is how the server learns of it.
    pub(super) fn run(mut self, queue: &FairQueue<Job>) {
        caught::describe();
        let mut jobs = Vec::with_capacity(BATCH_MAX);
        while queue.take_many(&mut jobs, BATCH_MAX) > 0 {
            self.figures.begun(jobs.first().map(|job| job.queued_at));
            if let Err(error) = self.write_all(&mut jobs) {
                tracing::error!(%error, "the database failed: no more is written");
                queue.abandon();
                // Closing it would write to it.
                std::mem::forget(self.connection);
                return;
            }
        }
        // Leaves a clean file behind; a crash before this loses nothing either.
        if let Err(error) = self
            .connection
            .pragma_update(None, "wal_checkpoint", "TRUNCATE")
        {
            tracing::debug!(%error, "the final checkpoint did not run");
        }
    }

    /// Takes all jobs off and answers them. `Err`: the database can no longer be trusted.
    fn write_all(&mut self, jobs: &mut Vec<Job>) -> rusqlite::Result<()> {
        let error = match self.write(jobs) {
            Ok(written) => {
                self.announce(written, jobs.drain(..));
                return Ok(());
            }
            Err(error) => error,
        };
        match Cause::of(&error) {
            // One bad change must not take its neighbours with it.
            Cause::Change if jobs.len() > 1 => {
                for job in jobs.drain(..) {
                    self.write_all(&mut vec![job])?;
                }
                Ok(())
            }
            // The next change would meet the same: all are answered at once.
            Cause::Change | Cause::Shortage => {
                self.figures.failed(jobs.len());
                fail(jobs, &error);
                Ok(())
            }
            Cause::Database => {
                self.figures.failed(jobs.len());
                fail(jobs, &error);
                Err(error)
            }
        }
    }

    fn write(&mut self, jobs: &[Job]) -> rusqlite::Result<Written> {
        let written = self.write_rows(jobs);
        if written.is_err() {
            // It may remember what was rolled back.
            self.memory.forget();
        }
        written
    }

    fn write_rows(&mut self, jobs: &[Job]) -> rusqlite::Result<Written> {
        if self.condition.is_lost.load(Ordering::SeqCst) {
            return Err(lost());
        }
        self.leave_or_move_log()?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !self.number.is_newest(&transaction)? {
            return Err(lost());
        }
        let mut batch = Batch::new(
            &transaction,
            (&self.identity, self.high_water.guard_time()),
            &self.secrets,
            &mut self.memory,
        );
        let outcomes = jobs
            .iter()
            .map(|job| decide(&mut batch, &job.submission))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let made = batch.finish()?;
        self.memory.cache.begin_commit();
        self.audience.recent.begin_commit();
        let began = Instant::now();
        transaction.commit()?;
        self.figures.committed(began.elapsed());
        Ok(Written { outcomes, made })
    }

    /// While the log is large its keeper moves it: a commit must not wait for that.
    fn leave_or_move_log(&mut self) -> rusqlite::Result<()> {
        let moves = !self.condition.log_is_large.load(Ordering::Relaxed);
        if moves == self.moves_log {
            return Ok(());
        }
        let pages = if moves { LOG_PAGES } else { 0 };
        self.connection
            .pragma_update(None, "wal_autocheckpoint", pages)?;
        self.moves_log = moves;
        Ok(())
    }

    fn announce(&mut self, written: Written, jobs: impl Iterator<Item = Job>) {
        let began = Instant::now();
        let made = written.made;
        if let Some((epoch, proof)) = &made.new_epoch {
            tracing::warn!(
                %epoch,
                proven_by = %proof,
                "a client has seen more than the database holds, so it was put back to an older \
                 state: a new epoch begins"
            );
            counter!("ordercast_epochs_begun_total").increment(1);
            // What that client had seen was acknowledged, and is gone.
            counter!("ordercast_acknowledged_lost_total").increment(1);
            self.high_water.begin(epoch.clone());
            // Before readers are told that what they read may be old.
            self.identity.begin(epoch.clone(), proof);
        }
        if let Some(position) = made.newest_position {
            // Before clients see the publication: what they have seen is below the mark.
            self.high_water.raise(position);
        }
        // Before anybody hears of it: who asks then must not get an older version.
        self.audience.cache.committed(made.orders.values());
        for (project, order) in &made.deleted {
            self.audience.cache.forget(*project, *order);
        }
        self.audience.recent.committed(&made.committed);
        if made.new_epoch.is_some() {
            self.audience.recent.forget();
        }
        (self.audience.on_commit)(&made.committed);
        let orders = || made.orders.keys().copied();
        self.audience.order_watches.committed(orders());
        if let Some(newest) = made.newest_event {
            self.audience.newest_event.send_replace(newest);
        }
        let projects = orders().map(|(project, _)| project);
        self.audience.event_watches.committed(projects);
        self.audience.bell.ring(made.rung);
        self.figures.announced(began.elapsed());
        for (job, outcome) in jobs.zip(written.outcomes) {
            self.figures.outcome(&outcome);
            // The caller may have gone; the change stands.
            let _ = job.reply.send(Ok(outcome));
        }
    }
}

/// A change that breaks an invariant is one bad change: it is rolled back, and its neighbours are
/// written without it.
fn decide(batch: &mut Batch<'_>, submission: &Submission) -> rusqlite::Result<Outcome> {
    caught(|| batch.apply(submission)).unwrap_or_else(|panicked| {
        let change = submission.change.subject();
        tracing::error!(change, "a change broke an invariant and is not written");
        Err(rusqlite::Error::ToSqlConversionFailure(Box::new(panicked)))
    })
}

/// What a failed transaction says of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Something in one of its changes.
    Change,
    /// Disk, memory or a lock is wanting; nothing was written, and it may be there again later.
    Shortage,
    /// After a failed read, write or fsync nobody knows what is on disk, and the same handle must
    /// not be asked again (guarantees, 3.3.8). A new process begins with what the disk has.
    Database,
}

impl Cause {
    fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen,
            ) => Self::Database,
            Some(
                ErrorCode::DiskFull
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked,
            ) => Self::Shortage,
            _ => Self::Change,
        }
    }
}

/// As SQLite says it of a database that may not be written: the process must end.
fn lost() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
        Some("the database is no longer this process's to write".to_owned()),
    )
}

fn fail(jobs: &mut Vec<Job>, error: &rusqlite::Error) {
    let failure = failure(error);
    tracing::error!(%error, changes = jobs.len(), "changes were not written");
    for job in jobs.drain(..) {
        // The caller may have gone.
        let _ = job.reply.send(Err(failure.clone()));
    }
}

pub(super) fn failure(error: &rusqlite::Error) -> Failure {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Failure::DiskFull,
        _ => Failure::Database(error.to_string()),
    }
}
