//! An order in a virtual currency goes its whole way at once: the balance is the shop's own record of
//! what was paid before, so there is no provider to wait for, and the store's catalogue is what hands
//! out (store contract, section 6).

use super::{Changed, Facets, Fulfilment, Order, Status};
use crate::Timestamp;
use std::collections::BTreeSet;

/// The two versions that follow `new` when the buyer's balance was debited: `paid`, `done`.
///
/// # Panics
/// For an order that is not `new`, or has no virtual price: the store asks for no other.
#[must_use]
pub fn charge(order: &Order, at: Timestamp) -> [Changed; 2] {
    assert!(
        order.status() == Status::New && order.content.virtual_price.is_some(),
        "only a new order with a virtual price is charged"
    );
    let paid = step(
        order,
        Facets {
            settled: true,
            ..order.facets.clone()
        },
        at,
    );
    let done = step(
        &paid.order,
        Facets {
            fulfilment: Fulfilment::Delivered,
            completed: true,
            ..paid.order.facets.clone()
        },
        at,
    );
    assert_eq!((paid.to, done.to), (Status::Paid, Status::Done));
    [paid, done]
}

fn step(order: &Order, facets: Facets, at: Timestamp) -> Changed {
    let from = order.status();
    let order = Order {
        facets,
        version: order.version.next(),
        updated_at: at.max(order.updated_at),
        ..order.clone()
    };
    let to = order.status();
    Changed {
        order,
        from,
        to,
        raised: BTreeSet::new(),
    }
}
