//! Credentials become principals here and nowhere else.
//!
//! Invariant: what a caller learns from a rejected credential is that it was rejected; the reasons
//! below are for the log.

mod cache;
pub mod guest;
mod json;
pub mod jwks;
mod jwt;
mod key;
mod last_used;
mod limits;
mod link_token;
mod payment_token;
mod registry;
mod session_token;
mod shared_map;
mod upkeep;

pub use key::{Algorithm, KeyError, check_key, check_public_key};
pub use limits::{Limits, Rates, TooMany};
pub use link_token::{LINK_PREFIX, LinkToken};
pub use payment_token::PaymentToken;
pub use registry::{ProjectKeys, Registry};
pub use session_token::SessionToken;

use crate::{clock, seldom::Seldom};
use cache::{TokenCache, Verified};
use jwks::address::Reach;
use jwt::NotAccepted;
use last_used::LastUsed;
use metrics::counter;
use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    access::{Action, Object, Principal, authorize},
    ids::CredentialId,
    order::TrackingStatus,
};
use ordercast_store::{Failure, Store, TokenKind, TokenRules};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use subtle::ConstantTimeEq;

/// How long the payment token of an order outlives the order's life: the buyer who paid in the last
/// minute still follows it, and the token ends with the longest that a user's JWT may last.
pub const PAYMENT_TOKEN_MARGIN: Duration = Duration::from_secs(24 * 3600);

/// Who a realtime connection is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub project: ProjectId,
    pub user: UserId,
    /// When the credential ends; `None` for credentials without an end of their own.
    pub valid_until: Option<Timestamp>,
    /// The order that a payment token was given for, with its status.
    pub order: Option<(OrderId, TrackingStatus)>,
}

/// Why a credential was not accepted. Clients get one answer for all of it; this is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("{0}")]
    Credential(&'static str),
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why a server's request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerRejected {
    UnknownKey,
    TooMany(TooMany),
}

impl From<TooMany> for ServerRejected {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany(too_many)
    }
}

/// Verifies credentials against the projects' keys, which it holds in memory.
#[derive(Clone, Debug)]
pub struct Auth {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    registry: RwLock<Arc<Registry>>,
    /// Held from the read to the exchange: a slow reload must not undo a later one. The projects whose
    /// last one did not succeed.
    stale: tokio::sync::Mutex<BTreeSet<ProjectId>>,
    root_key_hash: [u8; 32],
    reach: Reach,
    cache: TokenCache,
    last_used: LastUsed,
    limits: Arc<Limits>,
    /// Credentials of buyers that were refused; of projects that do not exist under `None`.
    refused: Seldom<(Option<ProjectId>, &'static str)>,
}

impl Auth {
    /// `reach`: where key sets may be fetched from. `cache_bytes`: what verified tokens may take in memory.
    ///
    /// # Errors
    /// [`Failure`] when the projects cannot be read.
    pub async fn new(
        store: Store,
        root_key: &str,
        reach: Reach,
        rates: Rates,
        cache_bytes: usize,
    ) -> Result<Self, Failure> {
        let registry = Registry::load(&store, reach).await?;
        let inner = Arc::new(Inner {
            store,
            registry: RwLock::new(Arc::new(registry)),
            stale: tokio::sync::Mutex::default(),
            root_key_hash: sha256(root_key.as_bytes()),
            reach,
            cache: TokenCache::new(cache_bytes),
            last_used: LastUsed::default(),
            limits: Limits::start(rates),
            refused: Seldom::default(),
        });
        tokio::spawn(upkeep::run(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Reads a project and its keys again: called after one of them was changed. What ended before the
    /// call is refused after it. Costs the same however many other projects there are.
    ///
    /// # Errors
    /// [`Failure`] when they cannot be read; the old ones stay in use until that succeeds, which is
    /// tried again by itself.
    pub async fn reload(&self, project: ProjectId) -> Result<(), Failure> {
        self.inner.reload(project).await
    }

    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.inner.registry.read())
    }

    /// Where key sets may be fetched from.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.inner.reach
    }

    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// When an API key was used, if that is not written down yet.
    #[must_use]
    pub fn last_used(&self, id: CredentialId) -> Option<Timestamp> {
        self.inner.last_used.get(id)
    }

    /// Tells the operator which projects take any token that their keys have signed, also one that
    /// was made for another service.
    pub fn warn_of_unbound_projects(&self) {
        let projects: Vec<_> = self.registry().unbound_projects().take(10).collect();
        if !projects.is_empty() {
            tracing::warn!(
                ?projects,
                "user JWTs of any audience and issuer are accepted; bind them with PUT /v1/projects/{{project}}/jwt-rules"
            );
        }
    }

    /// A server's credential: an API key or the root key, as a bearer or as the password of Basic.
    ///
    /// # Errors
    /// [`ServerRejected`]; the root key has no limit.
    pub fn server(&self, secret: &str) -> Result<(Principal, String), ServerRejected> {
        let hash = sha256(secret.as_bytes());
        if bool::from(hash.ct_eq(&self.inner.root_key_hash)) {
            return Ok((Principal::Root, "root".to_owned()));
        }
        let registry = self.registry();
        let key = registry.api_key(&hash).ok_or(ServerRejected::UnknownKey)?;
        self.inner.limits.request(key.id)?;
        self.inner.last_used.note(key.id, clock::now());
        let principal = Principal::Project {
            project: key.project,
            scopes: key.scopes,
        };
        Ok((principal, key.name.clone()))
    }

    /// A buyer's credential for one project: a user JWT, a payment token or a link token.
    ///
    /// # Errors
    /// [`Rejected`]: one answer for everything that is wrong with it.
    pub async fn buyer(
        &self,
        project: ProjectId,
        credential: &str,
    ) -> Result<(Principal, Option<Timestamp>), Rejected> {
        let judged = self.examine(project, credential).await;
        self.note(project, &judged);
        judged
    }

    /// Leaves a trace of a refusal for the operator: clients are told nothing of the reason.
    fn note<T>(&self, project: ProjectId, judged: &Result<T, Rejected>) {
        let Err(Rejected::Credential(reason)) = *judged else {
            return;
        };
        counter!("ordercast_credentials_refused_total", "reason" => reason).increment(1);
        let is_known = self.registry().project(project).is_some();
        let project = is_known.then_some(project);
        if let Some(times) = self.inner.refused.count((project, reason)) {
            let project = project.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
            tracing::warn!(%project, reason, times, "a buyer's credential was refused");
        }
    }

    /// As [`buyer`](Self::buyer), without a trace: for whoever asks why a credential is refused.
    ///
    /// # Errors
    /// [`Rejected`] with the reason.
    pub async fn examine(
        &self,
        project: ProjectId,
        credential: &str,
    ) -> Result<(Principal, Option<Timestamp>), Rejected> {
        // A JWT has exactly two dots, the others none.
        if credential.contains('.') {
            let Verified { user, valid_until } = self.verify(project, credential).await?;
            return Ok((Principal::User { project, user }, Some(valid_until)));
        }
        let (principal, valid_until) = if credential.starts_with(LINK_PREFIX) {
            self.link(credential).await?
        } else {
            self.payment_token(credential).await?
        };
        let (Principal::PaymentToken { project: of, .. } | Principal::Link { project: of, .. }) =
            &principal
        else {
            return Err(Rejected::Credential("not a buyer's credential"));
        };
        if *of != project {
            return Err(Rejected::Credential("a token of another project"));
        }
        if valid_until <= clock::now() {
            return Err(Rejected::Credential("the token has ended"));
        }
        Ok((principal, Some(valid_until)))
    }

    /// The order that a link stands for, and when the link ends.
    ///
    /// # Errors
    /// [`Rejected`].
    pub async fn link(&self, credential: &str) -> Result<(Principal, Timestamp), Rejected> {
        let wrong = Rejected::Credential("unknown link");
        let token = LinkToken::parse(credential).ok_or(wrong.clone())?;
        let id = token.id().ok_or(wrong.clone())?;
        let (row, found) = self
            .inner
            .store
            .order_token(id)
            .await?
            .ok_or(wrong.clone())?;
        let fits = row.kind == TokenKind::Link && bool::from(token.hash().ct_eq(&row.hash));
        if !fits || row.ended_at.is_some() || row.expires_at <= clock::now() {
            return Err(wrong);
        }
        let order = &found.order;
        let principal = Principal::Link {
            project: order.project,
            user: order.user.clone(),
            order: order.id,
        };
        Ok((principal, row.expires_at))
    }

    async fn payment_token(&self, credential: &str) -> Result<(Principal, Timestamp), Rejected> {
        let wrong = Rejected::Credential("unknown payment token");
        let token = PaymentToken::parse(credential)
            .ok_or(Rejected::Credential("neither a JWT nor a token"))?;
        let (hash, found, valid_until) = match token.token_id() {
            // The one that the order was made with.
            None => {
                let store = &self.inner.store;
                let found = match token.order() {
                    Some((project, order)) => store.order(project, order).await?,
                    None => store.order_by_key(token.order_key()).await?,
                };
                let found = found.ok_or(wrong.clone())?;
                let end = found.order.expires_at.plus(PAYMENT_TOKEN_MARGIN);
                (found.token_hash.clone().unwrap_or_default(), found, end)
            }
            Some(id) => {
                let found = self.inner.store.order_token(id).await?;
                let (row, found) = found
                    .filter(|(row, _)| row.kind == TokenKind::Payment && row.ended_at.is_none())
                    .ok_or(wrong.clone())?;
                (row.hash, found, row.expires_at)
            }
        };
        if !bool::from(token.hash().ct_eq(&hash)) {
            return Err(wrong);
        }
        let order = &found.order;
        let principal = Principal::PaymentToken {
            project: order.project,
            user: order.user.clone(),
            order: order.id,
        };
        Ok((principal, valid_until))
    }

    /// A user's JWT. An unknown project goes the same way as a known one, to the same end at the same
    /// cost.
    async fn verify(&self, project: ProjectId, token: &str) -> Result<Verified, Rejected> {
        let registry = self.registry();
        let keys = registry.project(project);
        match self.judge(keys, token) {
            Ok(verified) => return Ok(verified),
            Err(NotAccepted::Because(why)) => return Err(Rejected::Credential(why)),
            Err(NotAccepted::UnknownKid) => {}
        }
        let sources = keys.map_or(&[][..], |keys| &keys.jwks);
        if !sources.is_empty() {
            self.inner.refresh(sources).await;
            if let Ok(verified) = self.judge(keys, token) {
                return Ok(verified);
            }
        }
        Err(Rejected::Credential(
            "no key of the project has the JWT's kid",
        ))
    }

    /// The user of a JWT, unless it takes more than the keys at hand to know that.
    #[must_use]
    pub fn user(&self, project: ProjectId, token: &str) -> Option<Principal> {
        let registry = self.registry();
        let verified = self.judge(registry.project(project), token).ok()?;
        let user = verified.user;
        Some(Principal::User { project, user })
    }

    fn judge(&self, keys: Option<&ProjectKeys>, token: &str) -> Result<Verified, NotAccepted> {
        let now = clock::now();
        let sets: Vec<_> = keys
            .iter()
            .flat_map(|keys| &keys.jwks)
            .filter_map(|source| source.set(now))
            .collect();
        let mut name = Sha256::new();
        name.update(keys.map_or([0; 32], |keys| keys.fingerprint));
        name.update(sets.len().to_be_bytes());
        for set in &sets {
            name.update(set.fingerprint);
        }
        name.update(token);
        let name = name.finalize().into();
        if let Some(verified) = self.inner.cache.get(&name, now) {
            return Ok(verified);
        }
        let own = keys.iter().flat_map(|keys| &keys.keys);
        let fetched = sets.iter().flat_map(|set| &set.keys);
        let no_rules = TokenRules::default();
        let rules = keys.map_or(&no_rules, |keys| &keys.rules);
        let verified = jwt::verify(token, own.chain(fetched), rules, now)?;
        self.inner.cache.put(name, verified.clone());
        Ok(verified)
    }

    /// Who a realtime connection is for.
    ///
    /// # Errors
    /// [`Rejected`]: one answer for everything, a differing `user_external_id` included.
    pub async fn connect(
        &self,
        project: ProjectId,
        credential: &str,
        user_external_id: Option<&str>,
    ) -> Result<Identity, Rejected> {
        let identity = self.identify(project, credential, user_external_id).await;
        self.note(project, &identity);
        identity
    }

    async fn identify(
        &self,
        project: ProjectId,
        credential: &str,
        user_external_id: Option<&str>,
    ) -> Result<Identity, Rejected> {
        let (principal, valid_until) = self.examine(project, credential).await?;
        let (Principal::User { user, .. } | Principal::PaymentToken { user, .. }) = &principal
        else {
            return Err(Rejected::Credential("not a credential to track with"));
        };
        if user_external_id.is_some_and(|claimed| claimed != user.as_str()) {
            return Err(Rejected::Credential("user_external_id is another user's"));
        }
        authorize(&principal, Action::Track, Object::User(project, user))
            .map_err(|_| Rejected::Credential("may not track"))?;
        let order = match &principal {
            // It was read to check the token: it comes out of memory.
            Principal::PaymentToken { order, .. } => {
                let found = self.inner.store.order(project, *order).await?;
                found.map(|found| (*order, found.order.status().tracking()))
            }
            _ => None,
        };
        Ok(Identity {
            project,
            user: user.clone(),
            valid_until,
            order,
        })
    }
}

impl Inner {
    async fn reload(&self, project: ProjectId) -> Result<(), Failure> {
        let mut stale = self.stale.lock().await;
        // Also when this call is given up on the way.
        stale.insert(project);
        let known = Arc::clone(&self.registry.read());
        let fresh = known.with_project(&self.store, project, self.reach).await?;
        *self.registry.write() = Arc::new(fresh);
        stale.remove(&project);
        Ok(())
    }
}

/// API keys and secrets of payment tokens are random and long: a plain hash is enough at rest.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
