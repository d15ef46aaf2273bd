//! The truth behind the public word: what was paid in which attempt, what was delivered, how the
//! order's life goes, and what an operator should look at.

use super::{Content, Status};
use crate::ids::AttemptId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facets {
    /// In the order in which they were first heard of; at most [`Facets::ATTEMPTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The price was in at some time. Only a refund of everything undoes what follows from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    #[serde(default)]
    pub fulfilment: Fulfilment,
    #[serde(default)]
    pub life: Life,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<Flag>,
}

/// One try to pay, as a provider names it. Failure belongs to it, never to the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: AttemptId,
    /// Minor units of the order's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<i64>,
    /// The whole payment was given back. A payment told of later does not undo it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refunded: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fulfilment {
    #[default]
    None,
    Delivered,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    #[default]
    Open,
    Expired,
    /// Ended for good, by the shop or by a refund; money that comes later needs a decision.
    Canceled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// A payment in another currency was not counted.
    AmountMismatch,
    /// A second attempt paid an order that was paid already: refund one.
    DuplicatePayment,
    /// Money came for a canceled order: refund it or make a new order.
    NeedsDecision,
    /// Paid after the order's stated life.
    PaidLate,
    PaidOver,
    PaidPartial,
}

/// The payment facet, derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    None,
    Failed,
    Partial,
    Paid,
    Refunded,
}

impl Facets {
    /// Far above any honest buyer; a bound because each attempt is kept in the order's row.
    pub const ATTEMPTS_MAX: usize = 100;

    /// Money that came in and was not given back, in minor units.
    #[must_use]
    pub fn net_paid(&self) -> i64 {
        self.attempts
            .iter()
            .filter(|a| !a.refunded)
            .filter_map(|a| a.paid)
            .sum()
    }

    #[must_use]
    pub fn payment(&self) -> PaymentState {
        let net = self.net_paid();
        if net == 0 && self.attempts.iter().any(|a| a.refunded) {
            PaymentState::Refunded
        } else if self.settled {
            PaymentState::Paid
        } else if net > 0 {
            PaymentState::Partial
        } else if self.attempts.iter().any(|a| a.failed) {
            PaymentState::Failed
        } else {
            PaymentState::None
        }
    }

    /// The public word.
    #[must_use]
    pub fn status(&self, content: &Content) -> Status {
        match (self.life, self.fulfilment) {
            (Life::Canceled, _) => Status::Canceled,
            (_, Fulfilment::Delivered) => Status::Done,
            (_, Fulfilment::None) if self.settled || content.is_free() => Status::Paid,
            (Life::Expired, Fulfilment::None) => Status::Expired,
            (Life::Open, Fulfilment::None) => Status::New,
        }
    }

    pub(super) fn attempt(&mut self, id: &AttemptId) -> Option<&mut Attempt> {
        if let Some(at) = self.attempts.iter().position(|a| a.id == *id) {
            return self.attempts.get_mut(at);
        }
        if self.attempts.len() >= Self::ATTEMPTS_MAX {
            return None;
        }
        self.attempts.push(Attempt {
            id: id.clone(),
            paid: None,
            refunded: false,
            failed: false,
        });
        self.attempts.last_mut()
    }
}
