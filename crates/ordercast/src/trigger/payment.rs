//! What a payment is, before a provider's words are put to it.
//!
//! Pure. Ids follow from the order and the number of the payment: told again, it is recognisably the same.

use crate::demo::webhook::Item;
use ordercast_core::{OrderId, money::Money};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// One payment of one order, and how much of it an event is about.
#[derive(Clone, Debug)]
pub struct Payment {
    pub project: u32,
    pub order: OrderId,
    pub user: String,
    pub items: Vec<Item>,
    /// What the buyer paid, or is to pay.
    pub paid: Money,
    /// What goes back or is disputed; `None`: all of it.
    pub part: Option<Money>,
    /// Whether it is test money.
    pub is_test: bool,
    /// The payment of the order that it is: 1 is the first.
    pub number: u32,
    /// The refund of the payment that it is: 1 is the first.
    pub refund: u32,
    pub at: OffsetDateTime,
}

impl Payment {
    /// An id of the payment, in the form that a provider's own have: letters, digits and underscores.
    pub fn id(&self, prefix: &str) -> String {
        match self.number {
            1 => format!("{prefix}{}", self.order),
            number => format!("{prefix}{}_{number}", self.order),
        }
    }

    /// An id of its refund.
    pub fn refund_id(&self, prefix: &str) -> String {
        format!("{}_r{}", self.id(prefix), self.refund)
    }

    /// An id of an event about it: another one for another word, amount or refund.
    pub fn event_id(&self, prefix: &str, word: &str) -> String {
        let word: String = word
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let amount = self.part.unwrap_or(self.paid).minor;
        format!("{}_{word}_{amount}", self.refund_id(prefix))
    }

    /// What goes back or is disputed.
    pub fn back(&self) -> Money {
        self.part.unwrap_or(self.paid)
    }

    pub fn is_part(&self) -> bool {
        self.back().minor < self.paid.minor
    }

    /// The order's number, as shops write it into a provider's free fields.
    pub fn metadata(&self) -> Value {
        json!({ "order_id": self.order.to_string() })
    }

    pub fn seconds(&self) -> i64 {
        self.at.unix_timestamp()
    }

    /// Whole seconds, in UTC.
    pub fn rfc3339(&self) -> String {
        let seconds = self.at.replace_nanosecond(0).unwrap_or(self.at);
        seconds.format(&Rfc3339).unwrap_or_default()
    }
}
