//! Key sets of identity providers, fetched from their addresses.
//!
//! Invariant: an address is asked at most once in 30 s whatever tokens come, by one caller at a time;
//! and a set counts for at most 24 h after it was fetched, so that a provider that is down stops
//! nobody for a day, and one that is gone is not trusted for ever.

pub mod address;
pub mod document;
pub mod fetch;

use super::{key::VerifyingKey, sha256};
use crate::clock;
use address::{Address, Reach};
use document::{Document, DocumentError, PassedOver};
use fetch::FetchError;
use metrics::counter;
use ordercast_core::{ProjectId, Timestamp, ids::CredentialId};
use ordercast_store::KeySet;
use parking_lot::RwLock;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use thiserror::Error;

/// Between two questions to one address.
const PAUSE: Duration = Duration::from_secs(30);
/// A set this old is fetched anew, tokens or not.
const REFRESH: Duration = Duration::from_secs(300);
const STALE: Duration = Duration::from_secs(24 * 3600);
/// An unchanged set is written down again after this, so that it is still good after a restart.
const KEEP: Duration = Duration::from_secs(3600);

/// Why a fetch gave no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// An address and what it gave last.
#[derive(Debug)]
pub struct Source {
    pub id: CredentialId,
    pub project: ProjectId,
    pub address: Address,
    reach: Reach,
    state: RwLock<State>,
    /// Held while the address is asked; when it was asked last.
    asking: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct State {
    set: Option<Arc<Set>>,
    error: Option<SourceError>,
    kept_at: Option<Timestamp>,
}

/// A set that was fetched.
#[derive(Debug)]
pub(super) struct Set {
    pub keys: Vec<VerifyingKey>,
    pub passed_over: Vec<PassedOver>,
    pub fingerprint: [u8; 32],
    pub fetched_at: Timestamp,
}

impl Set {
    fn parse(body: &[u8], fetched_at: Timestamp) -> Result<Self, DocumentError> {
        let Document { keys, passed_over } = document::parse(body)?;
        let keys = keys.iter().filter_map(|key| key.verifying().ok());
        Ok(Self {
            keys: keys.collect(),
            passed_over,
            fingerprint: sha256(body),
            fetched_at,
        })
    }
}

/// Asks an address that is to be configured.
///
/// # Errors
/// [`SourceError`].
pub async fn try_out(address: &Address, reach: Reach) -> Result<(String, Document), SourceError> {
    let body = fetch::fetch(address, reach).await?;
    let found = document::parse(&body)?;
    let body = String::from_utf8(body.to_vec()).map_err(|_| DocumentError::NotJwks)?;
    Ok((body, found))
}

/// A source as its project's administrator sees it.
#[derive(Debug)]
pub struct Report {
    pub fetched_at: Option<Timestamp>,
    /// `alg` and `kid`.
    pub keys: Vec<(&'static str, Option<String>)>,
    pub passed_over: Vec<PassedOver>,
    pub error: Option<SourceError>,
}

impl Source {
    pub(super) fn new(
        id: CredentialId,
        project: ProjectId,
        address: Address,
        reach: Reach,
        kept: Option<&KeySet>,
    ) -> Self {
        let set = kept.and_then(|kept| {
            let set = Set::parse(kept.body.as_bytes(), kept.fetched_at);
            set.inspect_err(|error| tracing::error!(%error, %id, "a kept key set cannot be used"))
                .ok()
        });
        Self {
            id,
            project,
            address,
            reach,
            state: RwLock::new(State {
                set: set.map(Arc::new),
                error: None,
                kept_at: kept.map(|kept| kept.fetched_at),
            }),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The set, while it counts.
    pub(super) fn set(&self, now: Timestamp) -> Option<Arc<Set>> {
        self.state
            .read()
            .set
            .clone()
            .filter(|set| set.fetched_at.plus(STALE) > now)
    }

    #[must_use]
    pub fn report(&self) -> Report {
        let state = self.state.read();
        let keys = state.set.iter().flat_map(|set| &set.keys);
        Report {
            fetched_at: state.set.as_ref().map(|set| set.fetched_at),
            keys: keys
                .map(|key| (key.algorithm.name(), key.kid.clone()))
                .collect(),
            passed_over: state
                .set
                .as_ref()
                .map(|set| set.passed_over.clone())
                .unwrap_or_default(),
            error: state.error,
        }
    }

    /// Whether the address should be asked although no token asks for it.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let state = self.state.read();
        state.error.is_some()
            || state
                .set
                .as_ref()
                .is_none_or(|set| set.fetched_at.plus(REFRESH) <= now)
    }

    /// Asks the address unless that was done a moment ago; callers that come meanwhile wait for the
    /// same answer. Gives what is to be written down.
    ///
    /// Goes on when the caller does not wait any more: who sends a token and leaves must not use up
    /// the one question in 30 s.
    pub(super) async fn refresh(self: &Arc<Self>) -> Option<KeySet> {
        let this = Arc::clone(self);
        tokio::spawn(async move { this.ask().await }).await.ok()?
    }

    async fn ask(&self) -> Option<KeySet> {
        let mut asked_at = self.asking.lock().await;
        if asked_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return None;
        }
        *asked_at = Some(clock::monotonic());
        let result = try_out(&self.address, self.reach).await;
        let now = clock::now();
        let label = if result.is_ok() { "fetched" } else { "failed" };
        counter!("ordercast_jwks_fetches_total", "result" => label).increment(1);
        let parsed = result.and_then(|(body, _)| Ok((Set::parse(body.as_bytes(), now)?, body)));
        let mut state = self.state.write();
        match parsed {
            Ok((set, body)) => {
                let is_known = state
                    .set
                    .as_ref()
                    .is_some_and(|old| old.fingerprint == set.fingerprint);
                if !is_known {
                    tracing::info!(project = %self.project, id = %self.id, keys = set.keys.len(), "new key set");
                }
                state.set = Some(Arc::new(set));
                state.error = None;
                let is_kept = is_known && state.kept_at.is_some_and(|at| at.plus(KEEP) > now);
                if is_kept {
                    return None;
                }
                state.kept_at = Some(now);
                Some(KeySet {
                    credential: self.id,
                    body,
                    fetched_at: now,
                })
            }
            Err(error) => {
                tracing::warn!(project = %self.project, id = %self.id, %error, "key set not fetched");
                state.error = Some(error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn source(kept: Option<&KeySet>) -> Source {
        let address = Address::parse("https://idp.example/keys", Reach::Public).expect("address");
        let project = ProjectId::new(7).expect("id");
        Source::new(id(), project, address, Reach::Public, kept)
    }

    fn id() -> CredentialId {
        CredentialId::new(1).expect("id")
    }

    fn kept(body: &str) -> KeySet {
        KeySet {
            credential: id(),
            body: body.to_owned(),
            fetched_at: AT,
        }
    }

    #[test]
    fn a_set_counts_for_a_day_and_is_due_after_five_minutes() {
        let source = source(Some(&kept(r#"{"keys":[]}"#)));
        assert!(
            source
                .set(AT.plus(STALE).minus(Duration::from_millis(1)))
                .is_some()
        );
        assert!(source.set(AT.plus(STALE)).is_none());
        assert!(!source.is_due(AT.plus(REFRESH).minus(Duration::from_millis(1))));
        assert!(source.is_due(AT.plus(REFRESH)));
    }

    #[test]
    fn without_a_set_it_is_due_at_once() {
        assert!(source(None).is_due(AT));
        let damaged = source(Some(&kept("damaged")));
        assert!(damaged.is_due(AT) && damaged.set(AT).is_none());
    }
}
