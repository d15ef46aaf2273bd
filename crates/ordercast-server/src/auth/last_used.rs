//! When API keys were used last. Kept in memory and written down now and then, because a write for
//! every request would cost more than the request.
//!
//! Bound: one entry a live key.

use ordercast_core::{Timestamp, ids::CredentialId};
use parking_lot::Mutex;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct LastUsed(Mutex<HashMap<CredentialId, Timestamp>>);

impl LastUsed {
    pub(super) fn note(&self, id: CredentialId, at: Timestamp) {
        self.0.lock().insert(id, at);
    }

    pub(super) fn get(&self, id: CredentialId) -> Option<Timestamp> {
        self.0.lock().get(&id).copied()
    }

    /// What is to be written down.
    pub(super) fn take(&self) -> Vec<(CredentialId, Timestamp)> {
        self.0.lock().drain().collect()
    }
}
