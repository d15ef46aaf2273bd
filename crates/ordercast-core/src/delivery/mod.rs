//! What a shop's backend is told of its orders, when it is tried again, and how its answers are
//! understood (store contract, 3; Standard Webhooks specification).

mod answer;
pub mod breaker;
mod event;
mod happening;
mod headers;
pub mod health;
mod notification;
mod reference;
mod schedule;
mod standard;

pub use answer::{Verdict, verdict};
pub use event::{EventFacts, body, test_body};
pub use happening::{
    DisputeDetails, EVENT_TYPES, EventDetails, Happening, RefundDetails, happenings,
};
pub use headers::{CustomHeaders, InvalidHeaders};
pub use notification::{Notification, notifications};
pub use schedule::{InvalidSchedule, Schedule};
pub use standard::{
    Amount, DisputeView, EventData, ItemTold, More, RaisedView, RefundView, TEST,
    VirtualAmountTold, more,
};

use serde::{Deserialize, Serialize};

/// Whose words an endpoint is spoken to with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
// An order's mode is another one.
#[cfg_attr(feature = "openapi", schema(as = EndpointMode))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// `payment` before `order_paid`, `refund` before `order_canceled`.
    ReferenceSeparate,
    /// `order_paid` and `order_canceled`, with what was paid inside.
    ReferenceCombined,
    /// Ordercast's own events, as Standard Webhooks.
    Standard,
}

/// What decides how bodies look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub mode: Mode,
    /// Version 2 of the reference's webhooks: items say whether they are free, a bonus or out of a
    /// bundle (store contract, 3.6).
    pub has_item_flags: bool,
}
