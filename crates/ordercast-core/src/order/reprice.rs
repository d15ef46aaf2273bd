//! Another price for an order that nobody has paid: a coupon, taxes or a currency that were chosen only
//! at the provider's checkout.

use super::{
    Attempt, Cause, Changed, Content, Order, Refusal, Status,
    apply::{Undo, next_version_of},
};
use crate::money::Money;

pub(super) fn reprice(order: &Order, price: Money, cause: &Cause) -> Result<Changed, Refusal> {
    let holds_money = |attempt: &Attempt| attempt.is_counted() && attempt.has_money();
    let was = order.content.price.filter(|was| was.minor > 0);
    let (Status::New, Some(was)) = (order.status(), was) else {
        return Err(Refusal::PriceFixed);
    };
    if order.content.virtual_price.is_some() || order.facets.attempts.iter().any(holds_money) {
        return Err(Refusal::PriceFixed);
    }
    if was == price {
        return Err(Refusal::Unchanged);
    }
    let mut items = order.content.items.iter().filter_map(|item| item.price);
    if items.any(|of_item| of_item.currency != price.currency) {
        return Err(Refusal::ItemsCurrency);
    }
    let content = Content {
        price: Some(price),
        price_without_discount: order
            .content
            .price_without_discount
            .filter(|full| full.currency == price.currency && full.minor > price.minor),
        ..order.content.clone()
    };
    let mut facets = order.facets.clone();
    // What was paid in this currency before is the order's own money from now on.
    let mut own = Vec::new();
    for attempt in &mut facets.attempts {
        if attempt
            .foreign
            .is_some_and(|foreign| foreign.currency == price.currency)
        {
            attempt.foreign = None;
            own.push(attempt.id.clone());
        }
    }
    for id in own {
        facets.settle_by(&content, &id);
    }
    if content.is_free() {
        facets.settle(None);
    }
    facets.refresh(&content);
    Ok(next_version_of(order, content, facets, Undo::No, cause.at))
}
