//! What the shop's backend asks of an order: granted as a new version, or refused with a reason.

use super::{
    Attempt, Cause, Changed, Flag, Fulfilment, FulfilmentStep, Life, Order, RefundSize, Status,
    apply::{Undo, next_version},
    attempt::RefundNews,
};
use crate::{
    ids::{AttemptId, RefundId, Sku},
    money::Money,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A status that the shop's backend may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Become(Target),
    /// The shop has given money back.
    Refund {
        id: RefundId,
        /// `None`: the only attempt that holds money.
        attempt: Option<AttemptId>,
        /// `None`: all that is left.
        amount: Option<Money>,
    },
    /// A refund that was recorded did not happen.
    ReverseRefund {
        id: RefundId,
    },
    /// Items were handed over or taken back; no items: all.
    Fulfil {
        step: FulfilmentStep,
        items: Vec<Sku>,
    },
    /// Raises or lowers [`Flag::UnderReview`].
    Review(bool),
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("an order that is {from} cannot become {to}")]
    IllegalTransition { from: Status, to: Status },
    #[error("the order holds no money that could be given back")]
    NothingPaid,
    #[error("several payments hold money: say which by attempt_id")]
    AmbiguousAttempt,
    #[error("the order has no payment of this attempt_id")]
    UnknownAttempt,
    #[error("the payment is in another currency")]
    Currency,
    #[error("more than the payment still holds")]
    TooMuch,
    #[error("a refund of this refund_id is recorded already")]
    RefundExists,
    #[error("the order has no refund of this refund_id that could be reversed")]
    UnknownRefund,
    #[error("an item is not of this order, or cannot take this step")]
    Fulfilment,
    #[error("the order is in this state already")]
    Unchanged,
}

/// # Errors
/// [`Refusal`]; the order stays as it is.
pub fn request(order: &Order, request: &Request, cause: &Cause) -> Result<Changed, Refusal> {
    let mut facets = order.facets.clone();
    let mut undo = Undo::No;
    match request {
        Request::Become(target) => return become_target(order, *target, cause),
        Request::Refund {
            id,
            attempt,
            amount,
        } => {
            let attempt = holding(&mut facets.attempts, attempt.as_ref())?;
            let left = attempt.net();
            let currency = order.content.price.map(|price| price.currency);
            let minor = match amount {
                None => left,
                Some(money) if Some(money.currency) != currency => return Err(Refusal::Currency),
                Some(money) if money.minor > left => return Err(Refusal::TooMuch),
                Some(money) => money.minor,
            };
            attempt
                .refund(RefundNews {
                    id: Some(id.clone()),
                    size: RefundSize::Part(minor),
                    occurred_at: None,
                })
                .map_err(|_| Refusal::RefundExists)?;
        }
        Request::ReverseRefund { id } => {
            let is_live = |attempt: &&mut Attempt| {
                let mut refunds = attempt.refunds.iter();
                refunds.any(|refund| refund.id.as_ref() == Some(id) && !refund.reversed)
            };
            let attempt = facets
                .attempts
                .iter_mut()
                .find(is_live)
                .ok_or(Refusal::UnknownRefund)?;
            attempt
                .reverse_refund(RefundNews {
                    id: Some(id.clone()),
                    size: RefundSize::Unknown,
                    occurred_at: None,
                })
                .map_err(|_| Refusal::UnknownRefund)?;
            undo = Undo::Yes;
        }
        Request::Fulfil { step, items } => {
            let is_known = |sku: &Sku| order.content.items.iter().any(|item| item.sku == *sku);
            if order.status() == Status::Canceled && *step != FulfilmentStep::Revoked
                || !items.iter().all(is_known)
            {
                return Err(Refusal::Fulfilment);
            }
            facets
                .fulfil(&order.content, items, *step)
                .map_err(|_| Refusal::Fulfilment)?;
            // Handing over the last of a paid order makes it done, in the same version.
            if facets.fulfilment == Fulfilment::Delivered && order.status() == Status::Paid {
                facets.completed = true;
            }
        }
        Request::Review(true) => {
            facets.flags.insert(Flag::UnderReview);
        }
        Request::Review(false) => {
            facets.flags.remove(&Flag::UnderReview);
        }
    }
    facets.refresh(&order.content);
    if facets == order.facets {
        return Err(Refusal::Unchanged);
    }
    Ok(next_version(order, facets, undo, cause.at))
}

fn become_target(order: &Order, target: Target, cause: &Cause) -> Result<Changed, Refusal> {
    let from = order.status();
    let to = target.status();
    let refusal = Refusal::IllegalTransition { from, to };
    if from == to || !from.may_become(to) {
        return Err(refusal);
    }
    let mut facets = order.facets.clone();
    match target {
        Target::Paid => {
            // What is missing is marked as paid by hand.
            let price = order.content.price.map_or(0, |price| price.minor);
            let missing = price.saturating_sub(facets.net_paid());
            let id = AttemptId::manual(order.version.next());
            let attempt = facets.attempt(&id);
            if price == 0 || attempt.and_then(|a| a.capture(missing).ok()).is_none() {
                return Err(refusal);
            }
            facets.settle_by(&order.content, &id);
            facets.flags.insert(Flag::MarkedPaid);
        }
        Target::Done => facets.complete(),
        Target::Canceled => facets.life = Life::Canceled,
    }
    facets.refresh(&order.content);
    let changed = next_version(order, facets, Undo::No, cause.at);
    assert_eq!(changed.to, to, "a granted request must reach its target");
    Ok(changed)
}

/// The attempt to give money back from.
fn holding<'a>(
    attempts: &'a mut [Attempt],
    wanted: Option<&AttemptId>,
) -> Result<&'a mut Attempt, Refusal> {
    if let Some(id) = wanted {
        let attempt = attempts
            .iter_mut()
            .find(|attempt| attempt.id == *id)
            .ok_or(Refusal::UnknownAttempt)?;
        return Some(attempt)
            .filter(|attempt| attempt.net() > 0)
            .ok_or(Refusal::NothingPaid);
    }
    let mut holding = attempts.iter_mut().filter(|attempt| attempt.net() > 0);
    let first = holding.next().ok_or(Refusal::NothingPaid)?;
    match holding.next() {
        Some(_) => Err(Refusal::AmbiguousAttempt),
        None => Ok(first),
    }
}
