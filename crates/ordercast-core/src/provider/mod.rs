//! What payment providers tell: a verified body becomes an [`Event`] (dedup key, subject, fact).
//!
//! One file per provider. Verification of signatures is the edge's work; here a body is only read.

pub mod reference;

use crate::{
    Timestamp,
    ids::{AttemptId, OrderId, UserId},
    order::Fact,
};
use thiserror::Error;

/// A provider's event in our terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The provider's own word, for example `order_paid`.
    pub kind: String,
    /// Equal for every delivery of one event; `None` for events that are questions, not news.
    pub dedup_key: Option<String>,
    pub subject: Subject,
    /// `None`: nothing that changes an order.
    pub fact: Option<Fact>,
    /// When it happened by the provider's clock, if it says.
    pub occurred_at: Option<Timestamp>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An order by our id, and the attempt by which other events of the same payment name it.
    Order { order: OrderId, attempt: AttemptId },
    /// A payment whose order is known only once another event has joined the two.
    Attempt(AttemptId),
    /// A buyer who is about to pay.
    User(UserId),
    /// Of a kind that we do not know: kept, visible, without effect.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventError {
    #[error("the body is not JSON")]
    NotJson,
    #[error("{0} is missing or not of the documented type")]
    Field(&'static str),
    #[error("the event is of project {got}, this source is for project {expected}")]
    Project { got: i64, expected: u32 },
}
