//! What follows from a change by itself, each consequence a version of its own: tracking clients see
//! `paid` before `done`.

use super::{
    Changed, Facets, Fulfilment, Order, Status,
    apply::{Undo, next_version},
};
use crate::Timestamp;

/// Settings of a project that decide about its orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// A paid order needs no delivery by the shop.
    pub complete_on_paid: bool,
}

/// The next consequence, with the rule's name and its reason; `None`: the order may rest.
#[must_use]
pub fn follow(
    order: &Order,
    rules: Rules,
    at: Timestamp,
) -> Option<(Changed, &'static str, &'static str)> {
    if order.status() != Status::Paid {
        return None;
    }
    let (rule, reason) = if order.facets.fulfilment == Fulfilment::Delivered {
        (
            "delivered_before_paid",
            "it was delivered before it was paid",
        )
    } else if rules.complete_on_paid {
        (
            "complete_on_paid",
            "the project completes orders when they are paid",
        )
    } else {
        return None;
    };
    let mut facets = order.facets.clone();
    facets.complete();
    facets.refresh(&order.content);
    Some((next_version(order, facets, Undo::No, at), rule, reason))
}

impl Facets {
    /// Handed over as a whole.
    pub(super) fn complete(&mut self) {
        self.fulfilment = Fulfilment::Delivered;
        self.items.clear();
        self.completed = true;
    }

    /// Of an order that costs nothing: there is nothing to wait for.
    #[must_use]
    pub fn of_free_order() -> Self {
        let mut facets = Self::default();
        facets.complete();
        facets
    }
}
