//! The body of a notification. It says what was true at its event: versions and statuses come from
//! the event, everything else from what of an order never changes. So every attempt has the same
//! bytes, whatever has become of the order meanwhile.

use super::{Form, Notification, reference};
use crate::{
    OrderId, ProjectId, Timestamp, UserId,
    ids::Version,
    order::{Checkout, CustomParameters, Mode, Order, Status},
};
use serde::Serialize;
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
            serde_json::to_vec(&standard(event, order))
        }
    };
    // Strings, integers and enums all the way down.
    body.unwrap_or_default()
}

/// What tests an endpoint: changes nothing where it arrives.
#[must_use]
pub fn test_body(mode: super::Mode, project: ProjectId, at: Timestamp) -> Vec<u8> {
    let body = match mode {
        super::Mode::Standard => serde_json::json!({
            "type": "endpoint.test",
            "timestamp": rfc3339(at, UtcOffset::UTC),
            "data": { "project_id": project },
        }),
        super::Mode::ReferenceSeparate | super::Mode::ReferenceCombined => serde_json::json!({
            "notification_type": "user_validation",
            "settings": { "project_id": project, "merchant_id": 0 },
            "user": { "ip": null, "email": null, "id": "ordercast-test", "country": null, "zip": null },
        }),
    };
    body.to_string().into_bytes()
}

/// `{type, timestamp, data}` of the Standard Webhooks specification.
#[derive(Debug, Serialize)]
struct Standard<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    event_id: i64,
    project_id: ProjectId,
    order_id: OrderId,
    user_external_id: &'a UserId,
    status: Status,
    previous_status: Option<Status>,
    version: Version,
    mode: Mode,
    price: Option<Price>,
    virtual_price: Option<VirtualPrice<'a>>,
    items: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_parameters: Option<&'a CustomParameters>,
}

#[derive(Debug, Serialize)]
struct Price {
    amount: String,
    currency: String,
}

#[derive(Debug, Serialize)]
struct VirtualPrice<'a> {
    amount: i64,
    currency: &'a str,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    sku: &'a str,
    quantity: u32,
}

fn standard<'a>(event: &'a EventFacts, order: &'a Order) -> Standard<'a> {
    let content = &order.content;
    let Checkout {
        external_id,
        custom_parameters,
        ..
    } = &content.checkout;
    Standard {
        kind: &event.kind,
        timestamp: rfc3339(event.at, UtcOffset::UTC),
        data: Data {
            event_id: event.id,
            project_id: order.project,
            order_id: order.id,
            user_external_id: &order.user,
            status: event.status,
            previous_status: event.previous_status,
            version: event.version,
            mode: order.mode,
            price: content.price.map(|price| Price {
                amount: price.amount(),
                currency: price.currency.as_str().to_owned(),
            }),
            virtual_price: content.virtual_price.as_ref().map(|price| VirtualPrice {
                amount: price.amount.get(),
                currency: price.currency.as_str(),
            }),
            items: content
                .items
                .iter()
                .map(|item| Item {
                    sku: item.sku.as_str(),
                    quantity: item.quantity,
                })
                .collect(),
            external_id: external_id.as_ref().map(|id| id.as_str()),
            custom_parameters: custom_parameters.as_ref(),
        },
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
