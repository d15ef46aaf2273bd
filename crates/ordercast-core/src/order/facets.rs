//! The truth behind the public word: what was paid in which attempt, what was delivered, how the
//! order's life goes, and what an operator should look at.

use super::{Attempt, AttemptState, Content, Dispute, DisputeState, Fulfilment, Status};
use crate::ids::{AttemptId, Sku};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredFacets")]
pub struct Facets {
    /// In the order in which they were first heard of; at most [`Facets::ATTEMPTS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The price was in at some time. Only the return of everything undoes what follows from it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// The attempt that brought the price in. It stays, so that a payment which counts later does not
    /// change what the shop was told of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<AttemptId>,
    pub fulfilment: Fulfilment,
    /// Items that differ from the rest; empty when all are alike.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<Sku, Fulfilment>,
    /// Paid and handed over: the word is `done`, whatever is revoked later.
    pub completed: bool,
    pub life: Life,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<Flag>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    #[default]
    Open,
    Expired,
    /// Ended for good; money that comes later needs a decision.
    Canceled,
}

/// What an operator should know or look at. The first group stays once raised (or until it is
/// lowered by hand); the second follows from the other facets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// A payment in another currency was not counted.
    AmountMismatch,
    /// Paid by word of the shop; the version says whose.
    MarkedPaid,
    /// Paid after the order's stated life.
    PaidLate,
    /// Somebody looks into it.
    UnderReview,
    /// Money moved, and the amount that was told cannot be read: it is not counted.
    UnreadableAmount,
    /// Test money was told of a live order: it is not counted.
    TestPayment,
    /// Live money was told of a test order: it is not counted.
    LivePayment,
    /// The provider says that nothing is due, which its source's rule does not take for paid.
    NothingDue,
    /// A refund without a name was told once more: the same one, or a second one.
    RefundRepeated,

    /// Handed over before the money was in.
    DeliveredUnpaid,
    /// One attempt more than needed has paid: refund one.
    DuplicatePayment,
    /// The shop holds money of a canceled order: refund it or make a new order.
    NeedsDecision,
    PaidOver,
    PaidPartial,
}

impl Flag {
    /// For people who wonder why.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AmountMismatch => "its currency is not the order's, so its amount is not counted",
            Self::MarkedPaid => "paid by word of the shop",
            Self::PaidLate => "paid after the order's stated life",
            Self::UnderReview => "somebody looks into it",
            Self::UnreadableAmount => "its amount cannot be read and is not counted",
            Self::TestPayment => "test money of a live order is not counted",
            Self::LivePayment => "live money of a test order is not counted",
            Self::NothingDue => "the provider says that nothing is due",
            Self::RefundRepeated => {
                "a refund without a name was told again: the same one, or a second one"
            }
            Self::DeliveredUnpaid => "handed over before the money was in",
            Self::DuplicatePayment => "another attempt has paid already: refund one",
            Self::NeedsDecision => "the order is canceled but holds money: refund it",
            Self::PaidOver => "more than the price is in",
            Self::PaidPartial => "less than the price is in",
        }
    }

    const fn stays(self) -> bool {
        match self {
            Self::AmountMismatch
            | Self::MarkedPaid
            | Self::PaidLate
            | Self::UnderReview
            | Self::UnreadableAmount
            | Self::TestPayment
            | Self::LivePayment
            | Self::NothingDue
            | Self::RefundRepeated => true,
            Self::DeliveredUnpaid
            | Self::DuplicatePayment
            | Self::NeedsDecision
            | Self::PaidOver
            | Self::PaidPartial => false,
        }
    }
}

/// The payment facet, derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    None,
    Pending,
    /// The last attempts failed; the buyer may try again.
    Failed,
    Authorized,
    Partial,
    Paid,
    PartiallyRefunded,
    Refunded,
    /// Lost in a dispute.
    Reversed,
}

impl Facets {
    /// Far above any honest buyer; a bound because each attempt is kept in the order's row.
    pub const ATTEMPTS_MAX: usize = 100;

    /// Money that came in and was not given back, in minor units.
    #[must_use]
    pub fn net_paid(&self) -> i64 {
        sum(self.attempts.iter().map(Attempt::net))
    }

    fn returned(&self) -> i64 {
        sum(self.attempts.iter().map(Attempt::returned))
    }

    /// The buyer has everything back.
    fn is_returned(&self) -> bool {
        self.net_paid() == 0 && self.attempts.iter().any(Attempt::is_returned)
    }

    #[must_use]
    pub fn payment(&self) -> PaymentState {
        let has = |state| self.attempts.iter().any(|a| a.state == state);
        if self.is_returned() {
            return match self.dispute() {
                Some(DisputeState::Lost | DisputeState::Accepted) => PaymentState::Reversed,
                _ => PaymentState::Refunded,
            };
        }
        if self.settled && self.returned() > 0 {
            PaymentState::PartiallyRefunded
        } else if self.settled {
            PaymentState::Paid
        } else if self.net_paid() > 0 {
            PaymentState::Partial
        } else if has(AttemptState::Authorized) {
            PaymentState::Authorized
        } else if has(AttemptState::Pending) {
            PaymentState::Pending
        } else if has(AttemptState::Failed) {
            PaymentState::Failed
        } else {
            PaymentState::None
        }
    }

    /// The dispute facet: of several the one that was heard of last.
    #[must_use]
    pub fn dispute(&self) -> Option<DisputeState> {
        self.attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.dispute)
            .map(|Dispute { state, .. }| state)
    }

    /// The public word.
    #[must_use]
    pub fn status(&self, content: &Content) -> Status {
        let is_paid = self.settled || content.is_free();
        if self.life == Life::Canceled || self.is_returned() {
            Status::Canceled
        } else if is_paid && self.completed {
            Status::Done
        } else if is_paid {
            Status::Paid
        } else if self.life == Life::Expired {
            Status::Expired
        } else {
            Status::New
        }
    }

    /// After a change of the rest: whether the price is in, and the flags that follow.
    pub(super) fn refresh(&mut self, content: &Content) {
        let net = self.net_paid();
        let price = content.price.map_or(0, |price| price.minor);
        if price > 0 && net >= price {
            self.settle(None);
        }
        self.flags.retain(|flag| flag.stays());
        let status = self.status(content);
        let is_duplicate = |attempt: &Attempt| attempt.net() > 0 && net - attempt.net() >= price;
        if status == Status::Canceled && net > 0 {
            self.flags.insert(Flag::NeedsDecision);
        } else if net > price && self.attempts.iter().any(is_duplicate) {
            self.flags.insert(Flag::DuplicatePayment);
        } else if net > price {
            self.flags.insert(Flag::PaidOver);
        } else if net > 0 && !self.settled {
            self.flags.insert(Flag::PaidPartial);
        }
        if self.fulfilment == Fulfilment::Delivered
            && matches!(status, Status::New | Status::Expired)
        {
            self.flags.insert(Flag::DeliveredUnpaid);
        }
    }

    /// A refund that is heard of before its payment happened after it: the payment itself counts in
    /// full.
    pub(super) fn settle_by(&mut self, content: &Content, id: &AttemptId) {
        let price = content.price.map_or(0, |price| price.minor);
        let paid = self.attempts.iter().map(|attempt| {
            if attempt.id == *id {
                attempt.captured
            } else {
                attempt.net()
            }
        });
        if sum(paid) >= price {
            self.settle(Some(id));
        }
    }

    pub(super) fn settle(&mut self, by: Option<&AttemptId>) {
        if !self.settled {
            self.settled_by = by.cloned();
        }
        if !self.settled && self.life == Life::Expired {
            self.life = Life::Open;
            self.flags.insert(Flag::PaidLate);
        }
        self.settled = true;
    }

    /// `None` when there are too many.
    pub(super) fn attempt(&mut self, id: &AttemptId) -> Option<&mut Attempt> {
        if let Some(at) = self.attempts.iter().position(|a| a.id == *id) {
            return self.attempts.get_mut(at);
        }
        if self.attempts.len() >= Self::ATTEMPTS_MAX {
            return None;
        }
        self.attempts.push(Attempt::new(id.clone()));
        self.attempts.last_mut()
    }
}

fn sum(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}

/// As rows hold it: the first version had no word of its own for a completed order.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct StoredFacets {
    attempts: Vec<Attempt>,
    settled: bool,
    settled_by: Option<AttemptId>,
    fulfilment: Fulfilment,
    items: BTreeMap<Sku, Fulfilment>,
    completed: Option<bool>,
    life: Life,
    flags: BTreeSet<Flag>,
}

impl From<StoredFacets> for Facets {
    fn from(stored: StoredFacets) -> Self {
        Self {
            completed: stored
                .completed
                .unwrap_or(stored.fulfilment == Fulfilment::Delivered),
            attempts: stored.attempts,
            settled: stored.settled,
            settled_by: stored.settled_by,
            fulfilment: stored.fulfilment,
            items: stored.items,
            life: stored.life,
            flags: stored.flags,
        }
    }
}
