//! How an order changes by what is heard of it. [`observe`] records what a provider says has
//! happened: it is applied or ignored with a reason, never refused.

use super::{
    Attempt, AttemptState, Dispute, DisputeState, Facets, Fact, Flag, Heard, Life, Mode, Order,
    PriceRule, RefundSize, Status, attempt::RefundNews,
};
use crate::{
    Timestamp,
    ids::{AttemptId, SourceId, UserId},
    money::Currency,
};
use std::{collections::BTreeSet, fmt};

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
    /// The flags that it raised.
    pub raised: BTreeSet<Flag>,
}

impl Changed {
    /// Whether a refund that failed or a dispute that was won gave a canceled order its status back:
    /// it had been granted before.
    #[must_use]
    pub fn is_regained(&self) -> bool {
        self.from == Status::Canceled && self.to != Status::Canceled
    }

    /// Whether tracking clients see a difference, that is, whether it becomes a publication.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        self.from.tracking() != self.to.tracking()
    }

    /// What it did to the order as it was, in words, with why it did no more.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = if self.from == self.to {
            format!("recorded, the order stays {}", self.to)
        } else {
            format!("{} -> {}", self.from, self.to)
        };
        for flag in &self.raised {
            text.push_str("; ");
            text.push_str(flag.sentence());
        }
        text
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    Changed(Box<Changed>),
    /// Nothing changes; the reason is kept beside the input.
    Ignored(&'static str),
}

#[must_use]
pub fn observe(order: &Order, heard: &Heard<'_>, cause: &Cause) -> Observed {
    let mut facets = order.facets.clone();
    let undo = match foreign_mode(order, heard) {
        Some(flag) => {
            facets.flags.insert(flag);
            Ok(Undo::No)
        }
        None => hear(order, heard, &mut facets),
    };
    match undo {
        Err(reason) => Observed::Ignored(reason),
        Ok(undo) => {
            facets.refresh(&order.content);
            if facets == order.facets {
                return Observed::Ignored("nothing new in it");
            }
            Observed::Changed(Box::new(next_version(order, facets, undo, cause.at)))
        }
    }
}

/// Test money pays no live order, and live money no test order: that is looked at by a person.
fn foreign_mode(order: &Order, heard: &Heard<'_>) -> Option<Flag> {
    match (order.mode, heard.mode?) {
        (Mode::Default, Mode::Sandbox) => Some(Flag::TestPayment),
        (Mode::Sandbox, Mode::Default) => Some(Flag::LivePayment),
        (Mode::Default, Mode::Default) | (Mode::Sandbox, Mode::Sandbox) => None,
    }
}

/// Whether the change gives the shop money back that it had lost: the one way out of `canceled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    No,
    Yes,
}

fn hear(order: &Order, heard: &Heard<'_>, facets: &mut Facets) -> Result<Undo, &'static str> {
    let occurred_at = heard.occurred_at;
    match heard.fact {
        Fact::PaymentPending { attempt } => {
            let state = AttemptState::Pending;
            find(facets, attempt)?.become_state(state, occurred_at)?;
        }
        Fact::PaymentAuthorized { attempt } => {
            let state = AttemptState::Authorized;
            find(facets, attempt)?.become_state(state, occurred_at)?;
        }
        Fact::PaymentFailed { attempt } => {
            let state = AttemptState::Failed;
            find(facets, attempt)?.become_state(state, occurred_at)?;
        }
        Fact::Unreadable { .. } => {
            is_foreign(order, None)?;
            facets.flags.insert(Flag::UnreadableAmount);
        }
        Fact::MayBeATwin { .. } => {
            is_foreign(order, None)?;
            facets.flags.insert(Flag::RefundRepeated);
        }
        Fact::NothingDue { attempt } => {
            is_foreign(order, None)?;
            match heard.rule {
                PriceRule::ProviderTotal => {
                    find(facets, attempt)?.capture(0)?;
                    facets.settle(Some(attempt));
                }
                PriceRule::Exact | PriceRule::AtLeast { .. } => {
                    facets.flags.insert(Flag::NothingDue);
                }
            }
        }
        Fact::CaptureFailed { attempt, .. } => {
            let state = AttemptState::Failed;
            find(facets, attempt)?.become_state(state, occurred_at)?;
        }
        Fact::Paid {
            attempt, amount, ..
        } => {
            if is_foreign(order, Some(amount.currency))? {
                facets.flags.insert(Flag::AmountMismatch);
                return Ok(Undo::No);
            }
            find(facets, attempt)?.capture(amount.minor)?;
            facets.settle_by(&order.content, attempt);
        }
        Fact::Refunded {
            attempt,
            refund,
            amount,
        } => {
            if is_foreign(order, amount.currency())? {
                facets.flags.insert(Flag::AmountMismatch);
                return Ok(Undo::No);
            }
            find(facets, attempt)?.refund(RefundNews {
                id: refund.clone(),
                size: amount.size(),
                occurred_at,
            })?;
        }
        Fact::RefundReversed {
            attempt,
            refund,
            amount,
        } => {
            let is_foreign = is_foreign(order, amount.map(|amount| amount.currency))?;
            let amount = amount.filter(|_| !is_foreign);
            find(facets, attempt)?.reverse_refund(RefundNews {
                id: refund.clone(),
                size: amount.map_or(RefundSize::Unknown, |amount| RefundSize::Part(amount.minor)),
                occurred_at,
            })?;
            return Ok(Undo::Yes);
        }
        Fact::Disputed {
            attempt,
            state,
            amount,
            ..
        } => {
            // Banks count in their own currency. What is lost is lost all the same: then the whole.
            let is_foreign = is_foreign(order, amount.map(|amount| amount.currency))?;
            if is_foreign {
                facets.flags.insert(Flag::AmountMismatch);
            }
            let amount = amount.filter(|_| !is_foreign);
            find(facets, attempt)?.dispute(Dispute {
                state: *state,
                amount: amount.map(|amount| amount.minor),
                occurred_at,
            })?;
            if matches!(state, DisputeState::Won | DisputeState::Expired) {
                return Ok(Undo::Yes);
            }
        }
        Fact::Expired => {
            if order.status() != Status::New {
                return Err("only a new order expires");
            }
            facets.life = Life::Expired;
        }
    }
    Ok(Undo::No)
}

fn find<'a>(facets: &'a mut Facets, attempt: &AttemptId) -> Result<&'a mut Attempt, &'static str> {
    facets
        .attempt(attempt)
        .ok_or("the order has too many payment attempts")
}

/// Whether the amount is in another currency than the order.
fn is_foreign(order: &Order, currency: Option<Currency>) -> Result<bool, &'static str> {
    let price = order
        .content
        .price
        .filter(|price| price.minor > 0)
        .ok_or("the order costs no money")?;
    Ok(currency.is_some_and(|currency| currency != price.currency))
}

/// `facets` must be refreshed.
pub(super) fn next_version(
    order: &Order,
    mut facets: Facets,
    undo: Undo,
    at: Timestamp,
) -> Changed {
    let from = order.status();
    let mut to = facets.status(&order.content);
    if from == Status::Canceled && to != from && undo == Undo::No {
        // Money that comes for a canceled order does not revive it: that would be a surprise to a
        // shop which has closed its books. It is flagged instead.
        facets.life = Life::Canceled;
        facets.refresh(&order.content);
        to = facets.status(&order.content);
    }
    let is_legal = from.may_become(to) || (undo == Undo::Yes && from.may_return_to(to));
    assert!(is_legal, "illegal path {from} -> {to}");
    let raised = &facets.flags - &order.facets.flags;
    let order = Order {
        facets,
        version: order.version.next(),
        // A clock that jumps back must not make an order younger than its last change.
        updated_at: at.max(order.updated_at),
        ..order.clone()
    };
    Changed {
        order,
        from,
        to,
        raised,
    }
}
