//! Credentials become principals here and nowhere else.
//!
//! Invariant: what a caller learns from a rejected credential is that it was rejected; the reasons
//! below are for the log.

mod jwt;
mod payment_token;
mod registry;

pub use jwt::{KeyError, check_public_key};
pub use payment_token::PaymentToken;
pub use registry::{ProjectKeys, Registry};

use crate::clock;
use ordercast_core::{
    ProjectId, Timestamp, UserId,
    access::{Action, Object, Principal, authorize},
};
use ordercast_store::{Failure, Store};
use sha2::{Digest, Sha256};
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// Who a realtime connection is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub project: ProjectId,
    pub user: UserId,
    /// When the credential ends; `None` for credentials without an end of their own.
    pub valid_until: Option<Timestamp>,
}

/// Why a credential was not accepted. Clients get one answer for all of it; this is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("{0}")]
    Credential(&'static str),
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Verifies credentials against the projects' keys, which it holds in memory.
#[derive(Clone, Debug)]
pub struct Auth {
    store: Store,
    registry: Arc<RwLock<Arc<Registry>>>,
    root_key_hash: [u8; 32],
}

impl Auth {
    /// # Errors
    /// [`Failure`] when the projects cannot be read.
    pub async fn new(store: Store, root_key: &str) -> Result<Self, Failure> {
        let registry = Registry::load(&store).await?;
        Ok(Self {
            store,
            registry: Arc::new(RwLock::new(Arc::new(registry))),
            root_key_hash: sha256(root_key.as_bytes()),
        })
    }

    /// Reads the projects anew: called after one was created.
    ///
    /// # Errors
    /// [`Failure`] when they cannot be read; the old ones stay in use.
    pub async fn reload(&self) -> Result<(), Failure> {
        let fresh = Arc::new(Registry::load(&self.store).await?);
        *self
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A server's credential: an API key or the root key, as a bearer or as the password of Basic.
    ///
    /// # Errors
    /// [`Rejected::Credential`].
    pub fn server(&self, secret: &str) -> Result<(Principal, String), Rejected> {
        let hash = sha256(secret.as_bytes());
        if bool::from(hash.ct_eq(&self.root_key_hash)) {
            return Ok((Principal::Root, "root".to_owned()));
        }
        match self.registry().api_key(&hash) {
            Some((project, name)) => Ok((Principal::Project { project }, name)),
            None => Err(Rejected::Credential("unknown API key")),
        }
    }

    /// A buyer's credential for one project: a user JWT or a payment token.
    ///
    /// # Errors
    /// [`Rejected`]: one answer for everything that is wrong with it.
    pub async fn buyer(
        &self,
        project: ProjectId,
        credential: &str,
    ) -> Result<(Principal, Option<Timestamp>), Rejected> {
        // A JWT has exactly two dots, a payment token none.
        if credential.contains('.') {
            let registry = self.registry();
            let keys = registry
                .project(project)
                .ok_or(Rejected::Credential("unknown project"))?;
            let claims = jwt::verify(keys, credential, clock::now())?;
            return Ok((
                Principal::User {
                    project,
                    user: claims.user,
                },
                Some(claims.valid_until),
            ));
        }
        let token = PaymentToken::parse(credential)
            .ok_or(Rejected::Credential("neither a JWT nor a payment token"))?;
        let found = self
            .store
            .order_by_key(token.order_key())
            .await?
            .filter(|found| found.order.project == project)
            .filter(|found| {
                found
                    .token_hash
                    .as_deref()
                    .is_some_and(|hash| token.hash().ct_eq(hash).into())
            })
            .ok_or(Rejected::Credential("unknown payment token"))?;
        Ok((
            Principal::PaymentToken {
                project,
                user: found.order.user.clone(),
                order: found.order.id,
            },
            None,
        ))
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
        let (principal, valid_until) = self.buyer(project, credential).await?;
        let (Principal::User { user, .. } | Principal::PaymentToken { user, .. }) = &principal
        else {
            return Err(Rejected::Credential("not a buyer's credential"));
        };
        if user_external_id.is_some_and(|claimed| claimed != user.as_str()) {
            return Err(Rejected::Credential("user_external_id is another user's"));
        }
        authorize(&principal, Action::Track, Object::User(project, user))
            .map_err(|_| Rejected::Credential("may not track"))?;
        Ok(Identity {
            project,
            user: user.clone(),
            valid_until,
        })
    }
}

/// API keys and secrets of payment tokens are random and long: a plain hash is enough at rest.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
