//! One order: its facets (attempts, fulfilment, dispute, life, flags), the public status derived from
//! them, and the three ways it changes: a request by the shop, an observation by a provider, a
//! consequence by the project's rules.
//!
//! Invariant: the public status is never stored apart from the facets; [`Facets::status`] is the
//! only place that knows the word.

mod apply;
mod attempt;
mod capture;
mod charge;
pub(crate) mod checkout;
mod content;
mod dispute;
mod facets;
mod fact;
mod flag;
mod fulfilment;
mod hear;
mod ledger;
mod price_rule;
mod refund;
mod reprice;
mod request;
mod rules;
mod status;
mod stored;

pub use apply::{Actor, Cause, Changed, Observed, observe};
pub use attempt::{Attempt, AttemptState, Foreign, Rate};
pub use capture::Capture;
pub use charge::charge;
pub use checkout::{
    Checkout, Contact, Country, CustomParameters, Email, ExternalId, InvalidCheckout,
    ManualRedirection, PaymentSettings, RedirectConditions, RedirectPolicy, ReturnUrl, ShortText,
    Ui,
};
pub use content::{Content, Item, ItemKind};
pub use dispute::{Dispute, DisputeState};
pub use facets::{Facets, Life, PaymentState};
pub use fact::{Fact, Heard, Refunded, UnreadableAmount};
pub use flag::Flag;
pub use fulfilment::{Fulfilment, FulfilmentStep};
pub use ledger::{LedgerEntry, LedgerKind};
pub use price_rule::PriceRule;
pub use refund::{Refund, RefundSize, Teller};
pub use request::{Refusal, Request, Target, request};
pub use rules::{Rules, follow};
pub use status::{Status, TrackingStatus};

use crate::{
    Timestamp,
    ids::{OrderId, ProjectId, UserId, Version},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
