//! What the writer tells of its work. The handles are kept: looking one up costs as much as a small
//! change.

use crate::{InboxState, Outcome};
use metrics::{Counter, Histogram, counter, histogram};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Figures {
    batches: Counter,
    waited: Histogram,
    commit: Histogram,
    announce: Histogram,
    applied: Counter,
    unchanged: Counter,
    refused: Counter,
    replayed: Counter,
    failed: Counter,
}

impl Figures {
    pub(super) fn new() -> Self {
        let changes = |result| counter!("ordercast_changes_total", "result" => result);
        Self {
            batches: counter!("ordercast_batches_total"),
            waited: histogram!("ordercast_change_wait_seconds"),
            commit: histogram!("ordercast_commit_seconds"),
            announce: histogram!("ordercast_announce_seconds"),
            applied: changes("applied"),
            unchanged: changes("unchanged"),
            refused: changes("refused"),
            replayed: changes("replayed"),
            failed: changes("failed"),
        }
    }

    /// A batch begins; its first change has waited longest.
    pub(super) fn begun(&self, first_queued: Option<Instant>) {
        self.batches.increment(1);
        if let Some(queued) = first_queued {
            self.waited.record(queued.elapsed().as_secs_f64());
        }
    }

    /// The transaction is on disk, after this time.
    pub(super) fn committed(&self, took: Duration) {
        self.commit.record(took.as_secs_f64());
    }

    /// Connections, watches and dispatcher know of it, after this time.
    pub(super) fn announced(&self, took: Duration) {
        self.announce.record(took.as_secs_f64());
    }

    pub(super) fn failed(&self, changes: usize) {
        self.failed.increment(changes as u64);
    }

    pub(super) fn outcome(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Replayed(_) => &self.replayed,
            Outcome::Unchanged { .. } => &self.unchanged,
            Outcome::Received(received) if received.state == InboxState::Applied => &self.applied,
            Outcome::Received(_) => &self.unchanged,
            Outcome::Refused { .. }
            | Outcome::VersionMismatch { .. }
            | Outcome::NotFound
            | Outcome::Exists
            | Outcome::KeyConflict => &self.refused,
            _ => &self.applied,
        }
        .increment(1);
    }
}
