//! What authentication does without being asked: key sets are fetched before they are stale, when keys
//! were used last is written down, and changes that did not take effect are tried again.

use super::{Inner, jwks::Source};
use crate::clock;
use ordercast_core::Timestamp;
use ordercast_store::{Change, CredentialChange, Submission};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::task::JoinSet;

const TICK: Duration = Duration::from_secs(30);
/// Addresses asked at once.
const AT_ONCE: usize = 8;

/// Ends when the server does: it holds nothing of it while it waits.
pub(super) async fn run(inner: Weak<Inner>) {
    loop {
        let Some(due) = inner.upgrade().map(|inner| inner.due(clock::now())) else {
            return;
        };
        for some in due.chunks(AT_ONCE) {
            let kept = fetch(some).await;
            let Some(inner) = inner.upgrade() else { return };
            inner.keep(CredentialChange::KeepKeySets(kept)).await;
        }
        tokio::time::sleep(TICK).await;
        let Some(inner) = inner.upgrade() else { return };
        inner.catch_up().await;
        inner
            .keep(CredentialChange::KeysUsed(inner.last_used.take()))
            .await;
    }
}

async fn fetch(sources: &[Arc<Source>]) -> Vec<ordercast_store::KeySet> {
    let mut running = JoinSet::new();
    for source in sources {
        let source = Arc::clone(source);
        running.spawn(async move { source.refresh().await });
    }
    running.join_all().await.into_iter().flatten().collect()
}

impl Inner {
    fn due(&self, now: Timestamp) -> Vec<Arc<Source>> {
        let registry = Arc::clone(&self.registry.read());
        registry
            .jwks_sources()
            .filter(|source| source.is_due(now))
            .map(Arc::clone)
            .collect()
    }

    /// Asks the addresses now, unless they were asked a moment ago.
    pub(super) async fn refresh(&self, sources: &[Arc<Source>]) {
        let kept = fetch(sources).await;
        self.keep(CredentialChange::KeepKeySets(kept)).await;
    }

    /// A revoked key must not live on because the database did not answer once.
    async fn catch_up(&self) {
        let stale = self.stale.lock().await.clone();
        for project in stale {
            if let Err(error) = self.reload(project).await {
                tracing::error!(%error, %project, "changed keys are not in use yet");
            }
        }
    }

    /// Nothing waits for this to be on disk. What could not be written is learned again: a set within
    /// the hour, a key's use with its next use.
    async fn keep(&self, change: CredentialChange) {
        let is_empty = match &change {
            CredentialChange::KeepKeySets(sets) => sets.is_empty(),
            CredentialChange::KeysUsed(used) => used.is_empty(),
            _ => false,
        };
        if is_empty {
            return;
        }
        let submission = Submission {
            change: Change::Credentials(Box::new(change)),
            at: clock::now(),
            idempotency: None,
        };
        if let Err(error) = self.store.submit(submission).await {
            tracing::warn!(%error, "what authentication learned was not written down");
        }
    }
}
