//! What the shop's backend asks of an order: granted as a new version, or refused with a reason.

use super::{
    Attempt, Cause, Changed, Facets, Flag, Fulfilment, FulfilmentStep, Life, Order, RefundSize,
    Status,
    apply::{Undo, next_version},
    refund::{NoRefund, RefundNews},
    reprice::reprice,
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
    /// Somebody has looked at it and decided.
    Lower(Flag),
    /// Another price, while nothing has been paid.
    Reprice(Money),
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
    #[error("a refund must be of more than nothing")]
    NothingToRefund,
    #[error("the payment has more refunds than an order keeps")]
    TooManyRefunds,
    #[error("the order does not have this flag")]
    NoSuchFlag,
    #[error("only the price of a new order that holds no money can be changed")]
    PriceFixed,
    #[error("the order's items have prices in another currency")]
    ItemsCurrency,
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
            refund(order, &mut facets, id, attempt.as_ref(), *amount)?;
        }
        Request::ReverseRefund { id } => {
            let is_live = |attempt: &&mut Attempt| {
                let mut refunds = attempt.refunds.iter();
                refunds.any(|refund| refund.is_named(id) && !refund.reversed)
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
        Request::Lower(flag) => facets.lower(*flag)?,
        Request::Reprice(price) => return reprice(order, *price, cause),
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
            let captured = facets.attempts.iter().map(Attempt::captured);
            let captured = captured.fold(0, i64::saturating_add);
            let id = AttemptId::manual(order.version.next());
            let marked = facets.attempt(&id, None).and_then(|attempt| {
                attempt.captured_before = Some(captured);
                attempt.covers_up_to = Some(price);
                attempt.capture(None, missing)
            });
            if price == 0 || marked.is_err() {
                return Err(refusal);
            }
            facets.settle_by(&order.content, &id);
            facets.flags.insert(Flag::MarkedPaid);
        }
        Target::Done => facets.complete(),
        Target::Canceled => facets.life = Life::Canceled,
    }
    facets.refresh(&order.content);
    if facets.status(&order.content) != to {
        return Err(refusal);
    }
    Ok(next_version(order, facets, Undo::No, cause.at))
}

/// What a provider has told already is joined with it; anything else must still be there to give back.
fn refund(
    order: &Order,
    facets: &mut Facets,
    id: &RefundId,
    attempt: Option<&AttemptId>,
    amount: Option<Money>,
) -> Result<(), Refusal> {
    let currency = order.content.price.map(|price| price.currency);
    match amount {
        Some(money) if Some(money.currency) != currency => return Err(Refusal::Currency),
        Some(money) if money.minor == 0 => return Err(Refusal::NothingToRefund),
        _ => {}
    }
    let minor = amount.map(|amount| amount.minor);
    let is_named = |known: &Attempt| known.refunds.iter().any(|refund| refund.is_named(id));
    let at = match facets.attempts.iter().position(is_named) {
        Some(at) => at,
        None => chosen(facets, attempt, minor)?,
    };
    let left = facets.net_of(&facets.attempts[at]);
    let attempt = &mut facets.attempts[at];
    let is_ours = attempt.foreign.is_none();
    match attempt.shop_refund_joins(id, minor).filter(|_| is_ours) {
        Some(joined) => return joined.map_err(|_| Refusal::RefundExists),
        None if !is_ours => return Err(Refusal::Currency),
        None if left == 0 => return Err(Refusal::NothingPaid),
        None if minor.is_some_and(|minor| minor > left) => return Err(Refusal::TooMuch),
        None => {}
    }
    attempt
        .shop_refund(id.clone(), minor.unwrap_or(left))
        .map_err(|no| match no {
            NoRefund::TooMany => Refusal::TooManyRefunds,
            NoRefund::Known | NoRefund::MayBeATwin | NoRefund::Nothing => Refusal::RefundExists,
        })
}

/// The attempt to give money back from: the one that is named, the only one that holds money, or the
/// only one whose provider has told of a refund of that amount.
fn chosen(
    facets: &Facets,
    wanted: Option<&AttemptId>,
    minor: Option<i64>,
) -> Result<usize, Refusal> {
    let only = |is_it: &dyn Fn(&Attempt) -> bool| {
        let mut found = (0..facets.attempts.len()).filter(|at| is_it(&facets.attempts[*at]));
        found.next().map(|first| {
            found
                .next()
                .map_or(Ok(first), |_| Err(Refusal::AmbiguousAttempt))
        })
    };
    if let Some(id) = wanted {
        return only(&|attempt| attempt.id == *id).ok_or(Refusal::UnknownAttempt)?;
    }
    let holds = |attempt: &Attempt| facets.net_of(attempt) > 0;
    let told = |attempt: &Attempt| attempt.has_unconfirmed_refund_of(minor);
    only(&holds)
        .or_else(|| only(&told))
        .ok_or(Refusal::NothingPaid)?
}
