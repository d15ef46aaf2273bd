//! The durable order log on SQLite: one writer that commits batches of changes, readers beside it.
//!
//! Invariant: nothing is visible before its commit is on disk, and everything is visible to every
//! reader before the commit is announced. The server's edges call [`Store`]; nobody else speaks SQL.

pub mod backlog;
mod bell;
mod cache;
pub mod caught;
mod change;
pub mod credentials;
mod fair;
mod feed;
pub mod list;
mod old;
mod read;
mod recent;
mod replay;
pub mod search;
mod secret;
pub mod sources;
mod sqlite;
pub mod storefront;
mod turns;
mod vault;
mod watch;
pub mod webhooks;
mod weighted;

pub use bell::{DeliveryBell, Rung};
pub use change::{
    Applied, Attention, Change, HandleRefusal, Idempotency, InboxChange, InboxEntry, InboxOutcome,
    InboxState, NewOrder, NewProject, Outcome, ProjectChange, Proof, Rendered, Submission,
    Transmission,
};
pub use credentials::{
    Credential, CredentialChange, CredentialKind, CredentialOutcome, KeyFamily, KeySet,
    NewCredential, OrderToken, ProjectSecrets, TokenEnd, TokenKind, TokenRules,
};
pub use feed::{FeedCursor, FeedPlace};
pub use old::{OldKey, OldPlace, OldRows, Pages, Prune};
pub use ordercast_core::{
    catalogue::{CatalogueItem, Listed},
    channel::Range,
    provider::Provider,
};
pub use read::{EventRow, Feed, Found, InboxRow, VersionRow};
pub use replay::{RequestKey, Scope};
pub use secret::Secret;
pub use sources::{InboxBody, InboxFilter, Source, SourceChange, SourceOutcome, SweepWindow};
pub use sqlite::{
    BackupError, Examination, OpenError, Progress, Store, backup, compact, examine, restore,
};
pub use storefront::{StorefrontChange, StorefrontOutcome, StorefrontRefusal};
pub use vault::{Vault, VaultError};
pub use watch::{EventWatch, OrderWatch};
pub use webhooks::{
    Acknowledger, AttemptResult, AttemptRow, Attempted, ClientEvent, ClientEventFilter,
    DeliveryFilter, DeliveryRow, DeliveryState, Disabled, Due, Endpoint, EndpointSecret,
    EndpointSettings, NewEndpoint, NotNow, OperatorEventRow, WebhookChange, WebhookOutcome,
};

use ordercast_core::{
    ProjectId, Timestamp,
    channel::{Channel, Epoch, Publication},
    order::Rules,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// A status change as the hub gets it, after its commit, in commit order.
#[derive(Clone, Debug)]
pub struct Committed {
    pub channel: Channel,
    pub epoch: Epoch,
    pub publication: Publication,
}

/// Our fault or the world's: nothing was changed, the caller may retry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    #[error("the store's queue is full")]
    Overloaded,
    #[error("the read took too long and was given up")]
    TooSlow,
    #[error("the store is closed")]
    Closed,
    #[error("the disk is full")]
    DiskFull,
    #[error("database error: {0}")]
    Database(String),
}

/// A shop's project and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub settings: Settings,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// A paid order becomes done at once: for shops whose goods need no delivery.
    pub complete_on_paid: bool,
    /// A paid order becomes done when the shop has taken the news of it, by an endpoint's 2xx or
    /// through the event API.
    pub complete_on_ack: bool,
    /// Life of a `new` order, seconds, 60..=31536000.
    pub order_lifetime_seconds: u32,
    /// Virtual prices of *get order* with integers and the currency's description, as the strictest
    /// of the SDKs needs them, instead of the documented strings (store contract, 2.3).
    pub virtual_price_integers: bool,
    /// Buyers without an account may fill carts and make orders.
    pub guests: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            complete_on_paid: false,
            complete_on_ack: true,
            order_lifetime_seconds: 24 * 3600,
            virtual_price_integers: false,
            guests: false,
        }
    }
}

impl Settings {
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            complete_on_paid: self.complete_on_paid,
        }
    }

    #[must_use]
    pub fn order_lifetime(&self) -> Duration {
        Duration::from_secs(self.order_lifetime_seconds.into())
    }
}
