//! The one writer: drains its queue into batches, commits each batch in one transaction, then
//! announces and answers.
//!
//! No artificial delay: a batch forms while the previous commit runs. A failed write of the log ends
//! the process, because after a failed fsync nobody knows what is on disk; recovery starts from the
//! log.

use super::{
    apply::{Batch, Made},
    identity::HighWater,
    memory::Memory,
    secrets::Secrets,
};
use crate::{
    Committed, Failure, Outcome, Submission, cache::OrderCache, change::Reply, watch::Watches,
};
use ordercast_core::channel::Epoch;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Bounds the time of one transaction and the loss of work when one change fails.
const BATCH_MAX: usize = 512;

#[derive(Debug)]
pub(super) struct Job {
    pub submission: Submission,
    pub reply: Reply,
}

pub(super) struct Writer<F> {
    connection: Connection,
    epoch: Epoch,
    high_water: HighWater,
    memory: Memory,
    secrets: Arc<Secrets>,
    audience: Audience<F>,
}

/// Who hears of a commit.
pub(super) struct Audience<F> {
    pub cache: Arc<OrderCache>,
    pub on_commit: F,
    pub watches: Arc<Watches>,
    pub newest_event: watch::Sender<i64>,
}

struct Written {
    outcomes: Vec<Outcome>,
    made: Made,
}

impl<F: FnMut(&[Committed]) + Send> Writer<F> {
    pub(super) fn new(
        connection: Connection,
        epoch: Epoch,
        high_water: HighWater,
        secrets: Arc<Secrets>,
        audience: Audience<F>,
    ) -> Self {
        Self {
            connection,
            epoch,
            high_water,
            memory: Memory::new(Arc::clone(&audience.cache)),
            secrets,
            audience,
        }
    }

    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut jobs, BATCH_MAX) > 0 {
            match self.write(&jobs) {
                Ok(written) => self.announce(written, jobs.drain(..)),
                // One bad change must not take its neighbours with it.
                Err(_) if jobs.len() > 1 => {
                    for job in jobs.drain(..) {
                        match self.write(std::slice::from_ref(&job)) {
                            Ok(written) => self.announce(written, std::iter::once(job)),
                            Err(error) => fail(job, &error),
                        }
                    }
                }
                Err(error) => jobs.drain(..).for_each(|job| fail(job, &error)),
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

    fn write(&mut self, jobs: &[Job]) -> rusqlite::Result<Written> {
        let written = self.write_rows(jobs);
        if written.is_err() {
            // It may remember what was rolled back.
            self.memory.forget();
        }
        written
    }

    fn write_rows(&mut self, jobs: &[Job]) -> rusqlite::Result<Written> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch::new(&transaction, &self.epoch, &self.secrets, &mut self.memory);
        let outcomes = jobs
            .iter()
            .map(|job| batch.apply(&job.submission))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let made = batch.finish();
        self.memory.cache.begin_commit();
        transaction
            .commit()
            .inspect_err(end_process_if_log_failed)?;
        Ok(Written { outcomes, made })
    }

    fn announce(&mut self, written: Written, jobs: impl Iterator<Item = Job>) {
        let made = written.made;
        if let Some(position) = made.newest_position {
            // Before clients see the publication: what they have seen is below the mark.
            self.high_water.raise(position);
        }
        // Before anybody hears of it: who asks then must not get an older version.
        self.audience.cache.committed(made.orders.values());
        (self.audience.on_commit)(&made.committed);
        self.audience.watches.committed(made.orders.keys());
        if let Some(newest) = made.newest_event {
            self.audience.newest_event.send_replace(newest);
        }
        for (job, outcome) in jobs.zip(written.outcomes) {
            // The caller may have gone; the change stands.
            let _ = job.reply.send(Ok(outcome));
        }
    }
}

fn fail(job: Job, error: &rusqlite::Error) {
    let failure = failure(error);
    tracing::error!(%error, "a change could not be written");
    let _ = job.reply.send(Err(failure));
}

pub(super) fn failure(error: &rusqlite::Error) -> Failure {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Failure::DiskFull,
        _ => Failure::Database(error.to_string()),
    }
}

/// I/O errors at commit mean that the log's state on disk is unknown. Never retried on this handle.
fn end_process_if_log_failed(error: &rusqlite::Error) {
    if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
        tracing::error!(%error, "the log could not be written to disk; ending the process");
        eprintln!("ordercast: the log could not be written to disk ({error}); ending the process");
        std::process::abort();
    }
}
