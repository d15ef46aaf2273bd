//! One order: its facets (attempts, fulfilment, dispute, life, flags), the public status derived from
//! them, and the three ways it changes: a request by the shop, an observation by a provider, a
//! consequence by the project's rules.
//!
//! Invariant: the public status is never stored apart from the facets; [`Facets::status`] is the
//! only place that knows the word.

mod apply;
mod attempt;
mod facets;
mod fulfilment;
mod ledger;
mod request;
mod rules;
mod status;

pub use apply::{Actor, Cause, Changed, Fact, Observed, Refunded, observe};
pub use attempt::{Attempt, AttemptState, Dispute, DisputeState, Refund, RefundSize};
pub use facets::{Facets, Flag, Life, PaymentState};
pub use fulfilment::{Fulfilment, FulfilmentStep};
pub use ledger::{LedgerEntry, LedgerKind};
pub use request::{Refusal, Request, Target, request};
pub use rules::{Rules, follow};
pub use status::{Status, TrackingStatus};

use crate::{
    Timestamp,
    ids::{OrderId, ProjectId, Sku, UserId, Version},
    money::Money,
};
use serde::{Deserialize, Serialize};

/// What is bought; fixed at creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// `None`: free.
    pub price: Option<Money>,
    pub items: Vec<Item>,
}

impl Content {
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.price.is_none_or(|price| price.minor == 0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub sku: Sku,
    /// 1..=1000.
    pub quantity: u32,
    /// Of one piece; `None`: free.
    pub price: Option<Money>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Default,
    Sandbox,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub project: ProjectId,
    pub id: OrderId,
    pub user: UserId,
    pub mode: Mode,
    pub content: Content,
    pub facets: Facets,
    pub version: Version,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When a `new` order ends its stated life.
    pub expires_at: Timestamp,
}

impl Order {
    #[must_use]
    pub fn status(&self) -> Status {
        self.facets.status(&self.content)
    }
}
