//! How an order changes. [`request`] is what the shop's backend asks for and may be refused;
//! [`observe`] is what a provider says has happened and is recorded, applied or ignored with a
//! reason, never refused.

use super::{Facets, Flag, Fulfilment, Life, Order, PaymentState, Status};
use crate::{
    Timestamp,
    ids::{AttemptId, SourceId, UserId},
    money::Money,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// A status that the shop's backend may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    Paid,
    Done,
    Canceled,
}

impl Target {
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Paid => Status::Paid,
            Self::Done => Status::Done,
            Self::Canceled => Status::Canceled,
        }
    }
}

/// Something that happened outside, in the order's own terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    Paid {
        attempt: AttemptId,
        amount: Money,
    },
    PaymentFailed {
        attempt: AttemptId,
    },
    /// The whole payment of the attempt was given back or charged back.
    Refunded {
        attempt: AttemptId,
    },
    /// The stated life of a `new` order ended.
    Expired,
}

/// Who changed an order; kept with every version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An API key, by its public id.
    ApiKey(String),
    Buyer(UserId),
    Provider(SourceId),
    /// The server itself, by a rule of the project.
    Rule(&'static str),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            Self::Buyer(user) => write!(f, "buyer:{user}"),
            Self::Provider(source) => write!(f, "provider:{source}"),
            Self::Rule(rule) => write!(f, "rule:{rule}"),
        }
    }
}

/// Who, why and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub actor: Actor,
    pub reason: String,
    pub at: Timestamp,
}

/// A new version of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub order: Order,
    pub from: Status,
    pub to: Status,
}

impl Changed {
    /// Whether tracking clients see a difference, that is, whether it becomes a publication.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        self.from.tracking() != self.to.tracking()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    Changed(Box<Changed>),
    /// Nothing changes; the reason is kept beside the input.
    Ignored(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("an order that is {from} cannot become {to}")]
    IllegalTransition { from: Status, to: Status },
}

/// # Errors
/// [`Refusal::IllegalTransition`] for every edge that the state machine does not have, the one from
/// a status to itself included.
pub fn request(order: &Order, target: Target, cause: &Cause) -> Result<Changed, Refusal> {
    let from = order.status();
    let to = target.status();
    let refusal = Refusal::IllegalTransition { from, to };
    if from == to || !from.may_become(to) {
        return Err(refusal);
    }
    let mut facets = order.facets.clone();
    match target {
        Target::Paid => {
            // Only a priced order can be new or expired; what is missing is marked as paid by hand.
            let price = order.content.price.map_or(0, |price| price.minor);
            let missing = price - facets.net_paid();
            let id = AttemptId::new(&format!("manual:{}", order.version.next()));
            let Some(attempt) = id.ok().and_then(|id| facets.attempt(&id)) else {
                return Err(refusal);
            };
            attempt.paid = Some(missing);
            settle(&mut facets);
        }
        Target::Done => facets.fulfilment = Fulfilment::Delivered,
        Target::Canceled => facets.life = Life::Canceled,
    }
    let changed = next_version(order, facets, cause.at);
    assert_eq!(changed.to, to, "a granted request must reach its target");
    Ok(changed)
}

#[must_use]
pub fn observe(order: &Order, fact: &Fact, cause: &Cause) -> Observed {
    let mut facets = order.facets.clone();
    match observe_facets(order, fact, &mut facets) {
        Err(reason) => Observed::Ignored(reason),
        Ok(()) if facets == order.facets => Observed::Ignored("nothing new in it"),
        Ok(()) => Observed::Changed(Box::new(next_version(order, facets, cause.at))),
    }
}

const TOO_MANY_ATTEMPTS: &str = "the order has too many payment attempts";

fn observe_facets(order: &Order, fact: &Fact, facets: &mut Facets) -> Result<(), &'static str> {
    match fact {
        Fact::Paid { attempt, amount } => {
            let Some(price) = order.content.price.filter(|_| !order.content.is_free()) else {
                return Err("the order is free");
            };
            if amount.currency != price.currency {
                facets.flags.insert(Flag::AmountMismatch);
                return Ok(());
            }
            let attempt = facets.attempt(attempt).ok_or(TOO_MANY_ATTEMPTS)?;
            if attempt.refunded {
                return Err("older than the refund of the same attempt");
            }
            if attempt.paid.is_some() {
                return Err("this attempt is recorded as paid already");
            }
            attempt.paid = Some(amount.minor);
            attempt.failed = false;
            let net = facets.net_paid();
            if facets.life == Life::Canceled {
                facets.flags.insert(Flag::NeedsDecision);
            } else if facets.settled {
                facets.flags.insert(Flag::DuplicatePayment);
            } else if net < price.minor {
                facets.flags.insert(Flag::PaidPartial);
            } else {
                settle(facets);
                if net > price.minor {
                    facets.flags.insert(Flag::PaidOver);
                }
            }
            Ok(())
        }
        Fact::PaymentFailed { attempt } => {
            let attempt = facets.attempt(attempt).ok_or(TOO_MANY_ATTEMPTS)?;
            if attempt.paid.is_some() || attempt.refunded {
                return Err("older than the payment of the same attempt");
            }
            attempt.failed = true;
            Ok(())
        }
        Fact::Refunded { attempt } => {
            let attempt = facets.attempt(attempt).ok_or(TOO_MANY_ATTEMPTS)?;
            if attempt.refunded {
                return Err("this attempt is recorded as refunded already");
            }
            attempt.refunded = true;
            if facets.payment() == PaymentState::Refunded {
                facets.life = Life::Canceled;
            }
            Ok(())
        }
        Fact::Expired => {
            if order.status() != Status::New {
                return Err("only a new order expires");
            }
            facets.life = Life::Expired;
            Ok(())
        }
    }
}

/// The whole price is in.
fn settle(facets: &mut Facets) {
    facets.settled = true;
    facets.flags.remove(&Flag::PaidPartial);
    if facets.life == Life::Expired {
        facets.life = Life::Open;
        facets.flags.insert(Flag::PaidLate);
    }
}

fn next_version(order: &Order, facets: Facets, at: Timestamp) -> Changed {
    let from = order.status();
    let to = facets.status(&order.content);
    assert!(from.may_become(to), "illegal path {from} -> {to}");
    let order = Order {
        facets,
        version: order.version.next(),
        // A clock that jumps back must not make an order younger than its last change.
        updated_at: at.max(order.updated_at),
        ..order.clone()
    };
    Changed { order, from, to }
}
