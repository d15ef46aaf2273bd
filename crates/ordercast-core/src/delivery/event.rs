//! An event, and the body of a notification of it. It says what was true at its event: what changes with
//! time comes from the event, everything else from what of an order never changes. So every attempt has
//! the same bytes, whatever has become of the order meanwhile.

use super::{EventDetails, Form, Notification, reference, standard};
use crate::{
    ProjectId, Timestamp,
    ids::Version,
    order::{Order, Status},
};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// What happened to an order, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFacts {
    /// Its place among the events of its project.
    pub id: i64,
    /// What receivers tell deliveries apart by: given to it when it was written, and never another's.
    pub public_id: String,
    /// For example `order.paid`.
    pub kind: String,
    pub version: Version,
    /// After the event.
    pub status: Status,
    /// `None`: the order was made by it.
    pub previous_status: Option<Status>,
    pub at: Timestamp,
    /// Why the order changed, in words.
    pub reason: String,
    /// `None`: of an event that was written when they were not kept.
    pub details: Option<EventDetails>,
}

impl EventFacts {
    /// The `webhook-id`: equal in all attempts, distinct for everything else that an endpoint gets. It is
    /// made of what is stored with the event: an attempt after the database was put back has the same.
    #[must_use]
    pub fn message_id(&self, notification: Notification) -> String {
        match notification {
            Notification::Event => self.public_id.clone(),
            part => format!("{}_{}", self.public_id, part.as_str()),
        }
    }
}

/// Compact JSON on one line.
#[must_use]
pub fn body(form: Form, notification: Notification, event: &EventFacts, order: &Order) -> Vec<u8> {
    let body = match (notification, order.content.price) {
        (Notification::Payment | Notification::Refund, Some(price)) => {
            let webhook = reference::billing_webhook(notification, event, order, price);
            serde_json::to_vec(&webhook)
        }
        (Notification::OrderPaid | Notification::OrderCanceled, _) => {
            let webhook = reference::order_webhook(form, notification, event, order);
            serde_json::to_vec(&webhook)
        }
        // Without a price there is no payment to tell of.
        (Notification::Event | Notification::Payment | Notification::Refund, _) => {
            serde_json::to_vec(&standard::event(event, order))
        }
    };
    // Strings, integers and enums all the way down.
    body.unwrap_or_default()
}

/// What tests an endpoint: changes nothing where it arrives.
#[must_use]
pub fn test_body(mode: super::Mode, project: ProjectId, at: Timestamp) -> Vec<u8> {
    match mode {
        super::Mode::Standard => {
            serde_json::to_vec(&standard::test(project, at)).unwrap_or_default()
        }
        super::Mode::ReferenceSeparate | super::Mode::ReferenceCombined => serde_json::json!({
            "notification_type": "user_validation",
            "settings": { "project_id": project, "merchant_id": 0 },
            "user": { "ip": null, "email": null, "id": "ordercast-test", "country": null, "zip": null },
        })
        .to_string()
        .into_bytes(),
    }
}

pub(super) fn rfc3339(at: Timestamp, offset: UtcOffset) -> String {
    let nanos = i128::from(at.millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .map(|at| at.to_offset(offset))
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}
