//! How an order changes by what is heard of it. [`observe`] records what a provider says has
//! happened: it is applied or ignored with a reason, never refused.

use super::{Content, Facets, Flag, Heard, Life, Order, Status, hear::hear};
use crate::{
    Timestamp,
    ids::{SourceId, UserId},
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
            text.push_str(self.order.facets.note(*flag));
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
    let counted = order
        .content
        .price
        .map(|price| heard.fact.counted_in(price.currency));
    let heard = &Heard {
        fact: counted.as_deref().unwrap_or(heard.fact),
        ..*heard
    };
    match hear(order, heard, &mut facets) {
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

/// Whether the change gives the shop money back that it had lost: the one way out of `canceled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    No,
    Yes,
}

/// `facets` must be refreshed.
pub(super) fn next_version(order: &Order, facets: Facets, undo: Undo, at: Timestamp) -> Changed {
    next_version_of(order, order.content.clone(), facets, undo, at)
}

/// As [`next_version`], with another content.
pub(super) fn next_version_of(
    order: &Order,
    content: Content,
    mut facets: Facets,
    undo: Undo,
    at: Timestamp,
) -> Changed {
    let from = order.status();
    let mut to = facets.status(&content);
    if from == Status::Canceled && to != from && undo == Undo::No {
        // Money that comes for a canceled order does not revive it: that would be a surprise to a
        // shop which has closed its books. It is flagged instead.
        facets.life = Life::Canceled;
        facets.refresh(&content);
        to = facets.status(&content);
    }
    let is_legal = from.may_become(to) || (undo == Undo::Yes && from.may_return_to(to));
    assert!(is_legal, "illegal path {from} -> {to}");
    let raised = &facets.flags - &order.facets.flags;
    let order = Order {
        content,
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
