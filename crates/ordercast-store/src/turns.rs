//! Tells a reader whether what it read may be older than what the writer has announced since.
//!
//! Invariant: what is kept while [`Turns::is_current`] holds, under the lock that the writer takes for
//! its own, is never older than an announced commit.

use std::sync::atomic::{AtomicU64, Ordering};

/// Commits begun and commits announced so far.
#[derive(Debug, Default)]
pub(crate) struct Turns(AtomicU64);

/// When a reader began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading(u64);

impl Turns {
    /// Before a reader's statement begins.
    pub(crate) fn reading(&self) -> Reading {
        Reading(self.0.load(Ordering::SeqCst))
    }

    /// Neither has a commit begun since, nor was one announced that the reader may have missed.
    pub(crate) fn is_current(&self, reading: Reading) -> bool {
        self.0.load(Ordering::SeqCst) == reading.0
    }

    /// By the writer: before a commit, and after it, before anything of it is put into memory.
    pub(crate) fn turn(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
