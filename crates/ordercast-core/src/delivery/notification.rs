//! Which notifications an event becomes.

use super::Mode;
use crate::order::{Order, Status};

/// What one request to an endpoint tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    Payment,
    OrderPaid,
    Refund,
    OrderCanceled,
    /// The event itself, in the standard mode.
    Event,
}

impl Notification {
    pub const ALL: [Self; 5] = [
        Self::Payment,
        Self::OrderPaid,
        Self::Refund,
        Self::OrderCanceled,
        Self::Event,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::OrderPaid => "order_paid",
            Self::Refund => "refund",
            Self::OrderCanceled => "order_canceled",
            Self::Event => "event",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// In the order in which they are sent; none: this mode has no word for the event. Depends on what of
/// the order never changes, so that it is the same whenever it is asked.
///
/// `from` is the status before the event, `None` for the order's creation.
#[must_use]
pub fn notifications(
    mode: Mode,
    event_type: &str,
    from: Option<Status>,
    order: &Order,
) -> &'static [Notification] {
    use Notification::{Event, OrderCanceled, OrderPaid, Payment, Refund};
    let is_separate = match mode {
        Mode::Standard => return &[Event],
        Mode::ReferenceSeparate => true,
        Mode::ReferenceCombined => false,
    };
    // Orders that cost no money have no payment to tell of (store contract, 3.1).
    let has_billing = is_separate && has_price(order);
    match (event_type, from) {
        ("order.paid", Some(Status::New | Status::Expired)) if has_billing => &[Payment, OrderPaid],
        ("order.paid", Some(Status::New | Status::Expired)) => &[OrderPaid],
        ("order.created", None) if order.content.is_free() => &[OrderPaid],
        ("order.canceled", Some(Status::Paid | Status::Done)) if has_billing => {
            &[Refund, OrderCanceled]
        }
        ("order.canceled", Some(Status::Paid | Status::Done)) => &[OrderCanceled],
        _ => &[],
    }
}

pub(super) fn has_price(order: &Order) -> bool {
    order.content.price.is_some_and(|price| price.minor > 0)
}
